package reference

import "github.com/parley-im/parley/internal/webhook/registry"

// AsyncAPI is the AsyncAPI 3 document of all callbacks: the server sends a
// request on a channel of its own for each, and before-callbacks are answered.
func (d Docs) AsyncAPI() Object {
	var channels, operations, messages Object
	for _, c := range registry.All() {
		refs := Object{{"request", ref("#/components/messages/" + c.Key)}}
		operation := Object{
			{"action", "send"},
			{"channel", ref("#/channels/" + c.Key)},
			{"title", c.Key},
			{"summary", c.Doc},
			{"tags", []Object{{{"name", c.Group}}, {{"name", c.Kind.String()}}}},
			{"bindings", Object{{"http", Object{{"method", "POST"}, {"bindingVersion", "0.3.0"}}}}},
			{"messages", []Object{ref("#/channels/" + c.Key + "/messages/request")}},
		}
		messages = append(messages, Member{c.Key, Object{
			{"name", c.Command},
			{"title", c.Key},
			{"summary", c.Doc},
			{"contentType", "application/json"},
			{"headers", ref("#/components/schemas/headers")},
			{"payload", schemaObject(d.Request(c))},
			{"examples", []Object{{{"name", c.Key}, {"payload", c.Sample(c.Command)}}}},
		}})
		if c.Kind == registry.Before {
			answer := c.Key + "Answer"
			refs = append(refs, Member{"answer", ref("#/components/messages/" + answer)})
			operation = append(operation, Member{"reply", Object{
				{"channel", ref("#/channels/" + c.Key)},
				{"messages", []Object{ref("#/channels/" + c.Key + "/messages/answer")}},
			}})
			messages = append(messages, Member{answer, Object{
				{"name", answer},
				{"title", "Answer to " + c.Key},
				{"contentType", "application/json"},
				{"payload", schemaObject(d.Answer(c))},
			}})
		}
		channels = append(channels, Member{c.Key, Object{{"address", "/" + c.Command}, {"messages", refs}}})
		operations = append(operations, Member{c.Key, operation})
	}
	return Object{
		{"asyncapi", "3.0.0"},
		{"info", Object{
			{"title", "Parley webhooks"},
			{"version", "3.8.0"},
			{"description", "The callbacks of a Parley or OpenIM 3.8 server to a business server. The version is that of the OpenIM protocol."},
		}},
		{"defaultContentType", "application/json"},
		{"servers", Object{{"handler", Object{
			{"host", "handler.example.com"}, {"pathname", "/webhook"}, {"protocol", "https"}, {"description", "url of webhooks.yml"},
		}}}},
		{"channels", channels},
		{"operations", operations},
		{"components", Object{{"messages", messages}, {"schemas", Object{{"headers", headers}}}}},
	}
}

func ref(to string) Object { return Object{{"$ref", to}} }

func schemaObject(schema Object) Object {
	return Object{{"schemaFormat", "application/schema+json;version=draft-2020-12"}, {"schema", schema}}
}

var headers = Object{
	{"type", "object"},
	{"properties", Object{
		{"operationID", Object{{"type", "string"}, {"description", "trace id of what set the callback off; may be empty"}}},
		{"webhook-id", Object{{"type", "string"}, {"description", "id of the event, the same on every delivery of it"}}},
		{"webhook-timestamp", Object{{"type", "string"}, {"pattern", "^[0-9]+$"}, {"description", "time of this delivery in Unix seconds"}}},
		{"webhook-signature", Object{{"type", "string"}, {"description", "with a secret: v1,<base64>, one for each key, separated by spaces"}}},
	}},
}
