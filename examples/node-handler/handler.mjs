// A business server for the webhooks of a Parley or OpenIM server, without
// dependencies: a word filter that refuses messages, and an auditor that stores
// every event once. POST /webhook/{command}, one JSON object in, one out.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Audit } from "./audit.mjs";

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "10006" },
    audit: { type: "string", default: "audit.jsonl" },
    refuse: { type: "string", default: "" },
    conform: { type: "boolean", default: false }, // offer what `parley webhook conform` needs; never in production
  },
});
const forbidden = options.refuse.toLowerCase().split(",").filter(Boolean);
// Two secrets while one is being replaced. The key is the decoded form.
const keys = (process.env.WEBHOOK_SECRET ?? "")
  .split(/\s+/)
  .filter(Boolean)
  .map((secret) => Buffer.from(secret.replace(/^whsec_/, ""), "base64"));
const largestBody = 4 << 20;
const tolerance = 5 * 60; // seconds

const approved = { actionCode: 0, errCode: 0, errMsg: "", errDlt: "", nextCode: 0 };
const refused = {
  actionCode: 0, // 0: the handler did its work; nextCode refuses
  errCode: 5001,
  errMsg: "the message was refused",
  errDlt: "it holds a forbidden word",
  nextCode: 1,
};

const audit = new Audit(options.audit);

/** The questions this server has an opinion about. It answers from memory: the sender waits. */
const questions = {
  callbackBeforeSendSingleMsgCommand: judge,
  callbackBeforeSendGroupMsgCommand: judge,
};

function judge(message) {
  const text = textOf(message).toLowerCase();
  return forbidden.some((word) => text.includes(word)) ? refused : approved;
}

/** What a user reads: content of text messages (101), text of those with mentions (106). */
function textOf(message) {
  try {
    const said = JSON.parse(message.content);
    if (typeof said.content === "string") return said.content;
    if (typeof said.text === "string") return said.text;
  } catch {
    // not JSON: look at all of it
  }
  return String(message.content ?? "");
}

function answer(command, body, id) {
  if (questions[command]) return questions[command](body);
  // One report has a misleading name: it tells of a revoked message.
  if (command.startsWith("callbackAfter") || command === "callbackBeforeAfterMsgCommand") {
    audit.store(id ?? `${command}:${JSON.stringify(body)}`, command, body); // OpenIM tells no id
  }
  return approved; // also what this version does not know
}

/** Verifies the bytes as they came, whole and in constant time. */
function verify(headers, raw) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (!id || !signatures || !/^\d+$/.test(timestamp ?? "")) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > tolerance) return false;
  let right = false;
  for (const key of keys) {
    const want = Buffer.from(createHmac("sha256", key).update(`${id}.${timestamp}.`).update(raw).digest("base64"));
    for (const entry of signatures.split(" ")) {
      const got = Buffer.from(entry.startsWith("v1,") ? entry.slice(3) : "");
      if (got.length === want.length && timingSafeEqual(got, want)) right = true;
    }
  }
  return right;
}

async function handle(request) {
  const url = new URL(request.url, "http://handler");
  if (options.conform && request.method === "GET" && url.pathname === "/webhook/conform") {
    return [200, { count: audit.count(url.searchParams.get("id")) }];
  }
  if (request.method !== "POST") return [405, "callbacks are sent with POST"];
  const parts = [];
  let size = 0;
  for await (const part of request) {
    if ((size += part.length) > largestBody) return [413, "the body is too large"];
    parts.push(part);
  }
  const raw = Buffer.concat(parts);
  if (keys.length > 0 && !verify(request.headers, raw)) return [401, "the signature is not right"];
  let body;
  try {
    body = JSON.parse(raw.toString("utf8"));
  } catch (error) {
    return [400, error.message];
  }
  // The body names the callback too, and the body is signed.
  if (typeof body?.callbackCommand !== "string") return [400, "the body is not a callback"];
  if (options.conform && request.headers["conform-api"]) {
    await fetch(request.headers["conform-api"], { method: "POST" }).then((r) => r.arrayBuffer(), () => {});
  }
  return [200, answer(body.callbackCommand, body, request.headers["webhook-id"])];
}

const server = createServer(async (request, response) => {
  let status, said;
  try {
    [status, said] = await handle(request);
  } catch (error) {
    if (request.destroyed && !request.complete) return; // the caller hung up
    // Not 200: the IM server sends a report again later, and decides about a question by failedContinue.
    console.error(error);
    [status, said] = [500, "internal error"];
  }
  const text = typeof said === "string" ? said : JSON.stringify(said);
  response.writeHead(status, {
    "Content-Type": typeof said === "string" ? "text/plain; charset=utf-8" : "application/json",
    "Content-Length": Buffer.byteLength(text), // bytes, not characters
  });
  response.end(text);
});
// The IM server keeps idle connections for a minute: close them later than it does.
server.keepAliveTimeout = 75_000;
server.headersTimeout = 80_000;
server.listen(Number(options.port), "127.0.0.1", () => {
  // Loopback: put your own proxy in front.
  console.log(`listening on http://127.0.0.1:${server.address().port}/webhook`);
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    server.close(() => audit.close());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 5000).unref();
  });
}
