// Publishes one lead straight to Leadbus. Needs nothing but `npm install amqplib`; copy what you need.
//
//     export LEADBUS_AMQP_URL=amqp://user:password@broker:5672/vhost
//     node publish.mjs contactatonce lead.json [id] [account]
//
// The address holds your password, so it comes from the environment: a command line is shown to everybody.
// Prints the id and exits 0 when the broker has confirmed the message; exits 1 when it was returned, refused or
// not confirmed in time. Then publish again with the same id: a message that arrives twice counts once.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import amqp from "amqplib";

const TIMEOUT_MS = 10_000;
const CONTENT_TYPES = { ".json": "application/json", ".xml": "application/xml", ".csv": "text/csv" };

async function publish(url, source, file, givenId, account) {
  const body = await readFile(file);
  // Any stable id of your own will do. The digest makes the same file the same message.
  const id = givenId || createHash("sha256").update(body).digest("hex");
  const routingKey = `raw.${source}`;
  const now = new Date();
  const connection = await amqp.connect(url, { timeout: TIMEOUT_MS });
  // Errors of connection and channel also reject the pending confirm; without listeners Node would end.
  connection.on("error", () => {});
  const channel = await connection.createConfirmChannel();
  try {
    await new Promise((resolve, reject) => {
      let returned = false;
      const timer = setTimeout(() => reject(new Error("not confirmed in time")), TIMEOUT_MS);
      const settle = (error) => {
        clearTimeout(timer);
        if (returned) reject(new Error("returned: no queue takes this routing key"));
        else if (error) reject(new Error(`refused: ${error.message}`));
        else resolve();
      };
      channel.on("error", settle);
      // A return comes before its confirm.
      channel.on("return", () => { returned = true; });
      channel.publish("leadbus.raw", routingKey, body, {
        persistent: true,
        mandatory: true,
        contentType: CONTENT_TYPES[extname(file)] ?? "application/octet-stream",
        messageId: id,
        type: routingKey,
        timestamp: Math.floor(now.getTime() / 1000),
        headers: {
          "cloudEvents_specversion": "1.0",
          "cloudEvents_id": id,
          "cloudEvents_source": "https://partner.example/leads",
          "cloudEvents_type": routingKey,
          "cloudEvents_time": now.toISOString(),
          ...(account ? { "cloudEvents_account": account } : {}),
        },
      }, settle);
    });
  } finally {
    await connection.close().catch(() => {});
  }
  return id;
}

const url = process.env.LEADBUS_AMQP_URL;
const [source, file, id, account] = process.argv.slice(2);
if (!url || !file) {
  console.error("usage: LEADBUS_AMQP_URL=amqp://... node publish.mjs SOURCE FILE [ID] [ACCOUNT]");
  process.exit(2);
}
try {
  console.log(await publish(url, source, file, id, account));
} catch (error) {
  console.error(error.message || String(error));
  process.exit(1);
}
