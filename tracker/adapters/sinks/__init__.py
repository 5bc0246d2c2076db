"""Message brokers as subscribers: NATS JetStream, Kafka and RabbitMQ, each brought by an extra of its name.

Each sink publishes one entry and waits for the broker's word that it is kept; nothing is told before. What is under way is
bounded by whoever sends. A broker that is away answers nothing, and the entry is told again.

A client's own resilience is turned off where that can be: what it keeps for later is out of our sight, grows, and is sent a
second time when we have long told it again. Every connection is made anew, to addresses that were checked.
"""
