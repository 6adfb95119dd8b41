// Package reference makes the OpenAPI document of the REST API from the routes,
// the types of their bodies, the comments in the source and the errors that the
// code behind a route can return.
//
// Its result is docs/openapi.json, which a test compares; the server serves that
// file and does not import this package.
package reference

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-im/parley/internal/api"
	"github.com/parley-im/parley/internal/webhook/reference"
)

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON meets json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	out := make(reference.Object, len(o))
	for i, m := range o {
		out[i] = reference.Member{Key: m.key, Value: m.value}
	}
	return out.MarshalJSON()
}

// has reports whether the object has a key.
func (o object) has(key string) bool {
	return slices.ContainsFunc(o, func(m member) bool { return m.key == key })
}

// tags are the nouns, which are the beginnings of the paths, in the order in
// which they are shown.
var tags = []struct{ name, about string }{
	{"auth", "Tokens."},
	{"user", "Users, their settings and who is online."},
	{"friend", "Friends, requests to be friends, and blocks."},
	{"group", "Groups, their members and requests to join."},
	{"msg", "Messages and read positions."},
	{"conversation", "Conversations as their owners see them."},
	{"object", "Files."},
	{"third", "Push tokens, badges and the logs of apps."},
	{"config", "The configuration of the server."},
	{"restart", "The process."},
	{"jssdk", "Overviews for the JavaScript client."},
	{"statistics", "Numbers by day."},
	{"operations", "For load balancers and Prometheus."},
	{"webhook", "Callbacks: events to fetch, endpoints, and tools for those who write handlers."},
}

const about = `The REST API of Parley, which is that of OpenIM Server 3.8.

Every call is a POST of JSON with the header operationID, a trace id of the caller's choice, and, except for two, the header token. Every
answer is an envelope; status 200 goes with errors too, so look at errCode: 0 is success, and data is there when the call answers any.
An error's errMsg is the name of its code, its errDlt says more. Token faults, 1501 to 1507, mean that the user has to log in again.
Keys that are not described are ignored; keys may be added to answers. Empty lists may be null. Times are Unix milliseconds unless said
otherwise.`

// Document is the OpenAPI 3.1 document. root is the directory of the module's
// source.
func Document(root string) (object, error) {
	failures, err := readFailures(root)
	if err != nil {
		return nil, err
	}
	s := newSchemas(root)
	paths := object{}
	described := map[string]bool{}
	for _, r := range api.Routes() {
		op, err := operation(r, s, failures)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Path, err)
		}
		described[r.Path] = true
		item := object{{"post", op}}
		if r.Path == eventsPath {
			item = append(item, member{"get", fetchOperation(r, s, failures)})
		}
		paths = append(paths, member{r.Path, item})
	}
	for path := range summaries {
		if !described[path] {
			return nil, fmt.Errorf("summaries: there is no route %s", path)
		}
	}
	paths = append(paths, plainPaths()...)
	var tagList []object
	for _, t := range tags {
		tagList = append(tagList, object{{"name", t.name}, {"description", t.about}})
	}
	schemas, err := s.components()
	if err != nil {
		return nil, err
	}
	return object{
		{"openapi", "3.1.0"},
		{"info", object{
			{"title", "Parley"},
			{"version", "3.8.0"},
			{"summary", "An instant-messaging server compatible with OpenIM."},
			{"description", about},
			{"license", object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []object{{{"url", "/"}, {"description", "the server this document came from"}}}},
		{"security", []object{{{"token", []string{}}}}},
		{"tags", tagList},
		{"paths", paths},
		{"components", object{
			{"securitySchemes", object{
				{"token", object{
					{"type", "apiKey"},
					{"in", "header"},
					{"name", "token"},
					{"description", "of /auth/get_admin_token or /auth/get_user_token"},
				}},
				{"endpointSecret", object{
					{"type", "http"}, {"scheme", "bearer"}, {"description", "the secret of an endpoint of webhooks.yml that fetches"},
				}},
			}},
			{"parameters", object{{"operationID", object{
				{"name", "operationID"},
				{"in", "header"},
				{"required", true},
				{"description", "trace id of the caller's choice; it is in the logs and in callbacks"},
				{"schema", object{{"type", "string"}, {"minLength", 1}}},
			}}}},
			{"responses", object{
				{"BadBody", object{{"description", "The body cannot be read, or a required key is missing."}, {"content", inJSON(ref("Failure"))}}},
				{"TooLarge", object{{"description", "The body is larger than the server takes."}, {"content", inJSON(ref("Failure"))}}},
				{"TooMany", object{
					{"description", "The address or the user does too much."},
					{"headers", object{{"Retry-After", object{{"description", "seconds"}, {"schema", object{{"type", "integer"}}}}}}},
					{"content", inJSON(ref("Failure"))},
				}},
				{"Broken", object{{"description", "A defect of the server; there is no body."}}},
			}},
			{"schemas", append(object{
				{"Failure", failure(object{{"type", "integer"}, {"description", "one of the codes of the server, or of a handler of callbacks (5000 to 9999)"}})},
			}, schemas...)},
		}},
	}, nil
}

const eventsPath = "/webhook/events"

func operation(r api.Route, s *schemas, failures *failures) (object, error) {
	summary := summaries[r.Path]
	if summary == "" {
		return nil, fmt.Errorf("summaries does not say what it does")
	}
	codes, err := failures.of(r)
	if err != nil {
		return nil, err
	}
	op := object{
		{"operationId", operationID(r.Path)},
		{"summary", summary},
		{"description", description(r, codes)},
		{"tags", []string{noun(r.Path)}},
	}
	switch {
	case r.Path == eventsPath:
		op = append(op, member{"security", fetchSecurity})
	case !r.Token:
		op = append(op, member{"security", []object{}})
	}
	if r.AdminOnly {
		op = append(op, member{"x-admin-only", true})
	}
	request, err := s.request(r.Request)
	if err != nil {
		return nil, err
	}
	parameters := []object{refTo("parameters/operationID")}
	if r.Path == "/msg/send_simple_msg" {
		parameters = append(parameters, query("key", true, object{{"type", "string"}}, "what the callback's URL carried, base64 of JSON"))
	}
	answers, err := responses(r, s, codes)
	return append(op,
		member{"parameters", parameters},
		member{"requestBody", object{{"required", true}, {"content", inJSON(request)}}},
		member{"responses", answers},
	), err
}

var fetchSecurity = []object{{{"token", []string{}}}, {{"endpointSecret", []string{}}}}

// fetchOperation is the only call that may also be a GET.
func fetchOperation(r api.Route, s *schemas, failures *failures) object {
	codes, err := failures.of(r)
	if err != nil {
		panic(err) // the POST had them
	}
	answers, err := responses(r, s, codes)
	if err != nil {
		panic(err) // the same
	}
	return object{
		{"operationId", operationID(r.Path) + "ByQuery"},
		{"summary", summaries[r.Path]},
		{"description", description(r, codes)},
		{"tags", []string{noun(r.Path)}},
		{"security", fetchSecurity},
		{"parameters", []object{
			query("endpoint", false, object{{"type", "string"}}, "may be left out when there is one"),
			query("after", false, object{{"type", "string"}}, "cursor; left out for the oldest that is kept"),
			query("limit", false, object{{"type", "integer"}}, "events in the answer"),
			query("wait", false, object{{"type", "integer"}}, "seconds to wait for the first"),
		}},
		{"responses", answers},
	}
}

func query(name string, required bool, schema object, about string) object {
	return object{{"name", name}, {"in", "query"}, {"required", required}, {"description", about}, {"schema", schema}}
}

// responses are a success, or an error in the same envelope.
func responses(r api.Route, s *schemas, codes codes) (object, error) {
	success := object{
		{"errCode", object{{"const", 0}}},
		{"errMsg", object{{"type", "string"}}},
		{"errDlt", object{{"type", "string"}}},
	}
	required := []string{"errCode", "errMsg", "errDlt"}
	if r.Answer != nil {
		data, err := s.answer(r.Answer)
		if err != nil {
			return nil, err
		}
		if slices.Contains(inProtobuf, noun(r.Path)) {
			data = object{{"anyOf", []object{data, {
				{"type", "string"}, {"contentEncoding", "base64"}, {"description", "protobuf, if the request was"},
			}}}}
		}
		success = append(success, member{"data", data})
		required = append(required, "data")
	}
	ok := object{{"title", "Success"}, {"type", "object"}, {"properties", success}, {"required", required}}
	out := object{{"200", object{
		{"description", "Success, or a refusal: look at errCode."},
		{"content", inJSON(object{{"oneOf", []object{ok, failure(codes.schema())}}})},
	}}}
	if r.BadBody != 200 {
		out = append(out, member{strconv.Itoa(r.BadBody), refTo("responses/BadBody")})
	}
	return append(out, member{"413", refTo("responses/TooLarge")}, member{"429", refTo("responses/TooMany")}, member{"500", refTo("responses/Broken")}), nil
}

// inProtobuf are the nouns whose calls take protobuf, too.
var inProtobuf = []string{"jssdk"}

func failure(code object) object {
	return object{
		{"title", "Failure"},
		{"type", "object"},
		{"properties", object{
			{"errCode", code},
			{"errMsg", object{{"type", "string"}, {"description", "name of the code"}}},
			{"errDlt", object{{"type", "string"}, {"description", "what is wrong"}}},
		}},
		{"required", []string{"errCode", "errMsg", "errDlt"}},
	}
}

func description(r api.Route, codes codes) string {
	var b strings.Builder
	switch {
	case r.Path == eventsPath:
		b.WriteString("For administrators, and for who has the endpoint's secret.")
	case r.AdminOnly:
		b.WriteString("For administrators.")
	case !r.Token:
		b.WriteString("Needs no token.")
	default:
		b.WriteString("For users and administrators; docs/authorisation.md says who may do what to whom.")
	}
	b.WriteString("\n\nErrors: ")
	b.WriteString(codes.String())
	b.WriteString(".")
	return b.String()
}

// operationID is the path in camel case: groupCreateGroup.
func operationID(path string) string {
	words := strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == '_' })
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "")
}

func noun(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return name
}

func ref(schema string) object { return refTo("schemas/" + schema) }

func refTo(component string) object { return object{{"$ref", "#/components/" + component}} }

func inJSON(schema object) object { return object{{"application/json", object{{"schema", schema}}}} }
