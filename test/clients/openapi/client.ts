// A business server and an app in a few lines, by the client made from the
// OpenAPI document. Prints what it did as JSON.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [, , baseUrl, secret, suffix] = process.argv;
const client = createClient<paths>({ baseUrl });

let operations = 0;
const header = () => ({ operationID: `openapi-${operations++}` });
const as = (token: string) => ({ token });

type Envelope = { errCode: number; errMsg: string; errDlt: string };

// data is what a call answered, or an exception.
function data<T extends Envelope>(r: { data?: T; error?: unknown; response: Response }): Extract<T, { data: unknown }>["data"] {
  if (!r.data || !("data" in r.data)) {
    throw new Error(`${r.response.url}: ${JSON.stringify(r.data ?? r.error)}`);
  }
  return r.data.data as Extract<T, { data: unknown }>["data"];
}

// done is a call without data, or an exception.
function done<T extends Envelope>(r: { data?: T; error?: unknown; response: Response }): void {
  if (r.data?.errCode !== 0) {
    throw new Error(`${r.response.url}: ${JSON.stringify(r.data ?? r.error)}`);
  }
}

const admin = data(await client.POST("/auth/get_admin_token", { params: { header: header() }, body: { secret, userID: "imAdmin" } })).token;

const [alice, bob] = ["alice", "bob"].map((name) => name + suffix);
done(await client.POST("/user/user_register", {
  params: { header: header() }, headers: as(admin),
  body: { users: [{ userID: alice, nickname: "Alice" }, { userID: bob, nickname: "Bob" }] },
}));

const login = data(await client.POST("/auth/get_user_token", {
  params: { header: header() }, headers: as(admin), body: { userID: alice, platformID: 5 },
}));
const profiles = data(await client.POST("/user/get_users_info", {
  params: { header: header() }, headers: as(login.token), body: { userIDs: [bob] },
}));

const sent = data(await client.POST("/msg/send_msg", {
  params: { header: header() }, headers: as(admin),
  body: { sendID: alice, recvID: bob, senderPlatformID: 5, contentType: 101, sessionType: 1, content: { content: "hello" } },
}));

const conversations = data(await client.POST("/conversation/get_all_conversations", {
  params: { header: header() }, headers: as(login.token), body: { ownerUserID: alice },
}));

// A refusal has one of the codes that the document lists for the call.
const refused = await client.POST("/user/user_register", { params: { header: header() }, headers: as(login.token), body: { users: [{ userID: "x" }] } });

console.log(JSON.stringify({
  nickname: profiles.usersInfo?.[0].nickname,
  serverMsgID: sent.serverMsgID,
  conversations: conversations.conversations?.map((c) => c.conversationID),
  refused: refused.data?.errCode,
}));
