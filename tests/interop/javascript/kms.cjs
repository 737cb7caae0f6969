// Calls the KMS client of the AWS SDK for JavaScript; the endpoint, the Region and the keys come from the environment.
//
// Each line of standard input is a call, {"operation", "region", "members"}; its line of standard output is
// {"answer"} or {"code", "message"}. Bytes travel as {"$bytes": base64}, dates as {"$date": ISO 8601}.
"use strict";

const readline = require("node:readline");
const sdk = require("@aws-sdk/client-kms");

const clients = new Map(); // by Region

function clientOf(region) {
  if (!clients.has(region)) clients.set(region, new sdk.KMSClient({ region }));
  return clients.get(region);
}

function revive(_name, value) {
  if (value && typeof value === "object" && "$bytes" in value) return Buffer.from(value.$bytes, "base64");
  if (value && typeof value === "object" && "$date" in value) return new Date(value.$date);
  return value;
}

function plain(value) {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (value instanceof Date) return { $date: value.toISOString() };
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
  }
  return value;
}

async function call({ operation, region, members }) {
  try {
    const { $metadata, ...answer } = await clientOf(region).send(new sdk[`${operation}Command`](members));
    if ($metadata.httpStatusCode !== 200) throw new Error(`status ${$metadata.httpStatusCode}`);
    return { answer: plain(answer) };
  } catch (error) {
    return { code: error.name, message: error.message };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await call(JSON.parse(line, revive))) + "\n");
  }
}

main();
