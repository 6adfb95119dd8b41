package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parley-im/parley/docs"
	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/store/storetest"
)

// described holds the schemas of answers, each compiled when it is first needed.
var described struct {
	sync.Mutex
	compiler *jsonschema.Compiler
	paths    map[string]any
	schemas  map[string]*jsonschema.Schema // by place in the document; nil where there is none
}

// answerSchema is what the OpenAPI document says of an answer, nil if it does not
// know the path.
func answerSchema(method, path string, status int) (*jsonschema.Schema, error) {
	described.Lock()
	defer described.Unlock()
	if described.compiler == nil {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(docs.OpenAPI()))
		if err != nil {
			return nil, err
		}
		described.compiler, described.schemas = jsonschema.NewCompiler(), map[string]*jsonschema.Schema{}
		if err := described.compiler.AddResource("openapi.json", document); err != nil {
			return nil, err
		}
		described.paths = document.(map[string]any)["paths"].(map[string]any)
	}
	path, _, _ = strings.Cut(path, "?")
	if described.paths[path] == nil {
		return nil, nil
	}
	place := "#/components/schemas/Failure"
	if status == http.StatusOK {
		place = "#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(method) + "/responses/200/content/application~1json/schema"
	}
	if s, ok := described.schemas[place]; ok {
		return s, nil
	}
	s, err := described.compiler.Compile("openapi.json" + place)
	described.schemas[place] = s
	return s, err
}

// checkDescribed compares an answer of any test with the OpenAPI document.
func checkDescribed(t *testing.T, method, path string, a answer) {
	t.Helper()
	if method != http.MethodPost || a.header.Get("Content-Type") != "application/json" || a.header.Get("Content-Encoding") != "" || len(a.raw) == 0 {
		return
	}
	schema, err := answerSchema(method, path, a.status)
	if err != nil {
		t.Fatal(err)
	}
	if schema == nil {
		return
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(body); err != nil {
		t.Errorf("%s answered %d %s, which docs/openapi.json does not describe: %v", path, a.status, a.raw, err)
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t))
	a := n.do(http.MethodGet, "/openapi.json", nil, nil)
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" || !bytes.Equal(a.raw, docs.OpenAPI()) {
		t.Errorf("answered %d, %d bytes of %s", a.status, len(a.raw), a.header.Get("Content-Type"))
	}
	var document struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(a.raw, &document); err != nil {
		t.Fatal(err)
	}
	for _, path := range api.Paths() {
		if document.Paths[path]["post"] == nil {
			t.Errorf("%s is not described", path)
		}
	}
}

// An answer that is not as described must be found.
func TestDescriptionsBite(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"wrong type":         `{"errCode":0,"errMsg":"","errDlt":"","data":{"token":7,"expireTimeSeconds":1}}`,
		"no data":            `{"errCode":0,"errMsg":"","errDlt":""}`,
		"missing key":        `{"errCode":0,"errMsg":"","errDlt":"","data":{"token":""}}`,
		"error of elsewhere": `{"errCode":1402,"errMsg":"MutedInGroup","errDlt":""}`,
		"no envelope":        `{"token":"","expireTimeSeconds":1}`,
	} {
		schema, err := answerSchema(http.MethodPost, "/auth/get_admin_token", http.StatusOK)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(value) == nil {
			t.Errorf("%s passes: %s", name, body)
		}
	}
}

// Calls that no other test here makes with success: the description of their
// answers is compared, as that of all.
func TestOtherAnswers(t *testing.T) {
	t.Parallel()
	n := start(t, storetest.SQLite(t), "alice", "bob")
	n.must(n.post(adminID, "/group/create_group", object{
		"ownerUserID": "alice", "memberUserIDs": []string{"bob"}, "groupInfo": object{"groupID": "g", "groupName": "g", "groupType": 2},
	}))
	n.must(n.post("alice", "/group/mute_group_member", object{"groupID": "g", "userID": "bob", "mutedSeconds": 60}))
	page := object{"pageNumber": 1, "showNumber": 10}
	for path, body := range map[string]object{
		"/auth/get_admin_token":                     {"secret": secret, "userID": adminID},
		"/auth/get_user_token":                      {"userID": "alice", "platformID": 1},
		"/auth/parse_token":                         {"token": n.token("bob")},
		"/config/status":                            {},
		"/conversation/get_owner_conversation":      {"userID": "alice", "pagination": page},
		"/conversation/get_pinned_conversation_ids": {"userID": "alice"},
		"/group/cancel_mute_group_member":           {"groupID": "g", "userID": "bob"},
		"/group/get_full_join_group_ids":            {"userID": "alice"},
		"/group/get_group_members_info":             {"groupID": "g", "userIDs": []string{"bob"}},
		"/object/part_size":                         {"size": 1 << 20},
		"/user/account_check":                       {"checkUserIDs": []string{"alice", "nobody"}},
		"/user/get_all_users_uid":                   {"pagination": page},
	} {
		if a := n.post(adminID, path, body); a.ErrCode != 0 || a.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
}
