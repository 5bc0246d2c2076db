// Reads cases as JSON from standard input, and says of each what the libraries for receivers in JavaScript make of it.
const { createPublicKey, verify } = require("node:crypto");
const libraries = { standardwebhooks: require("standardwebhooks").Webhook, svix: require("svix").Webhook };

function holds({ library, secret, jwk, headers, body }) {
  if (library === "node:crypto") {
    // Ed25519 over the same three parts; the libraries do not know v1a.
    const [, signature] = headers["webhook-signature"].split(" ").find((one) => one.startsWith("v1a,")).split(",");
    const said = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
    return verify(null, said, createPublicKey({ key: jwk, format: "jwk" }), Buffer.from(signature, "base64"));
  }
  try {
    new libraries[library](secret).verify(body, headers);
    return true;
  } catch (error) {
    if (error.constructor.name !== "WebhookVerificationError") throw error;
    return false;
  }
}

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => console.log(JSON.stringify(JSON.parse(text).map(holds))));
