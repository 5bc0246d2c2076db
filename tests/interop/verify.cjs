// Verifies webhooks with the packages of npm: reads a JSON list of {library, secret, headers, body} from standard input, and prints
// a JSON list of what each came to: the parsed body, or null if it was refused. The first argument is the folder of node_modules.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");

const load = createRequire(process.argv[2] + "/");
const verified = JSON.parse(readFileSync(0, "utf8")).map(({ library, secret, headers, body }) => {
  const { Webhook, WebhookVerificationError } = load(library);
  try {
    new Webhook(secret).verify(body, headers); // svix's gives nothing back
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof WebhookVerificationError) {
      return null;
    }
    throw error;
  }
});
process.stdout.write(JSON.stringify(verified));
