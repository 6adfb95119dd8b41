package reference

// plainPaths are the routes that are no calls: they have no envelope and no
// token.
func plainPaths() object {
	path := func(name, about string) object {
		return object{{"name", name}, {"in", "path"}, {"required", true}, {"description", about}, {"schema", object{{"type", "string"}}}}
	}
	signed := []object{
		query("expires", true, object{{"type", "string"}}, "of the signed link"),
		query("signature", true, object{{"type", "string"}}, "of the signed link"),
	}
	text := func(about string) object { return object{{"description", about}} }
	bytes := object{{"application/octet-stream", object{}}}
	unsigned := []object{}
	readiness := object{
		{"type", "object"},
		{"properties", object{
			{"ready", object{{"type", "boolean"}}},
			{"checks", object{{"type", "object"}, {"additionalProperties", object{
				{"type", "object"},
				{"properties", object{{"state", object{{"type", "string"}}}, {"reason", object{{"type", "string"}}}}},
				{"required", []string{"state"}},
			}}}},
		}},
		{"required", []string{"ready", "checks"}},
	}
	picture := []object{
		query("type", false, object{{"type", "string"}}, "image: answer a picture made smaller"),
		query("width", false, object{{"type", "integer"}}, "of the picture, at most"),
		query("height", false, object{{"type", "integer"}}, "of the picture, at most"),
		query("format", false, object{{"type", "string"}}, "png, jpeg or gif"),
	}
	return object{
		{"/object/{userID}/{name}", object{{"get", object{
			{"operationId", "getObject"},
			{"summary", "Get a file by its name"},
			{"description", "Takes Range. A name is enough to read a file, as in OpenIM."},
			{"tags", []string{"object"}},
			{"security", unsigned},
			{"parameters", append([]object{path("userID", "who uploaded it"), path("name", "the rest of its name, which may hold slashes")}, picture...)},
			{"responses", object{
				{"200", object{{"description", "The file."}, {"content", bytes}}},
				{"206", object{{"description", "A part of it."}, {"content", bytes}}},
				{"302", text("It is in an object store: get it there.")},
				{"404", text("There is none.")},
			}},
		}}}},
		{"/object-part/{uploadID}/{number}", object{{"put", object{
			{"operationId", "putObjectPart"},
			{"summary", "Upload a part, where initiate_multipart_upload or auth_sign said"},
			{"tags", []string{"object"}},
			{"security", unsigned},
			{"parameters", append([]object{path("uploadID", "the upload"), path("number", "of the part, from 1")}, signed...)},
			{"requestBody", object{{"required", true}, {"content", bytes}}},
			{"responses", object{{"200", text("It is stored.")}, {"403", text("The link is wrong or has expired.")}, {"411", text("Content-Length is missing.")}}},
		}}}},
		{"/object-data/{userID}/{name}", object{{"get", object{
			{"operationId", "getObjectData"},
			{"summary", "Get a file, where access_url said"},
			{"description", "Takes Range."},
			{"tags", []string{"object"}},
			{"security", unsigned},
			{"parameters", append([]object{path("userID", "who uploaded it"), path("name", "the rest of its name, which may hold slashes")}, append(signed, picture...)...)},
			{"responses", object{
				{"200", object{{"description", "The file."}, {"content", bytes}}},
				{"206", object{{"description", "A part of it."}, {"content", bytes}}},
				{"302", text("It is in an object store: get it there.")},
				{"403", text("The link is wrong or has expired.")},
				{"404", text("There is none.")},
			}},
		}}}},
		{"/object-form/{formID}", object{{"post", object{
			{"operationId", "postObjectForm"},
			{"summary", "Upload a file as a form, where initiate_form_data said"},
			{"tags", []string{"object"}},
			{"security", unsigned},
			{"parameters", append([]object{path("formID", "the form")}, signed...)},
			{"requestBody", object{{"required", true}, {"content", object{{"multipart/form-data", object{{"schema", object{
				{"type", "object"}, {"properties", object{{"file", object{{"contentMediaType", "application/octet-stream"}}}}}, {"required", []string{"file"}},
			}}}}}}}},
			{"responses", object{{"2XX", text("It is stored.")}, {"400", text("There is no field file.")}, {"403", text("The link is wrong or has expired.")}}},
		}}}},
		{"/third/prometheus", object{{"get", object{
			{"operationId", "thirdPrometheus"},
			{"summary", "Where the dashboards are"},
			{"tags", []string{"third"}},
			{"security", unsigned},
			{"responses", object{{"302", text("grafanaURL of the configuration.")}}},
		}}}},
		{"/healthz", object{{"get", object{
			{"operationId", "healthz"},
			{"summary", "Whether the process runs"},
			{"tags", []string{"operations"}},
			{"security", unsigned},
			{"responses", object{{"200", text("It does.")}}},
		}}}},
		{"/readyz", object{{"get", object{
			{"operationId", "readyz"},
			{"summary", "Whether the server takes requests, with reasons"},
			{"tags", []string{"operations"}},
			{"security", unsigned},
			{"responses", object{
				{"200", object{{"description", "It does."}, {"content", inJSON(readiness)}}},
				{"503", object{{"description", "It does not."}, {"content", inJSON(readiness)}}},
			}},
		}}}},
		{"/metrics", object{{"get", object{
			{"operationId", "metrics"},
			{"summary", "Figures for Prometheus, for this machine and metricsFrom of the configuration"},
			{"tags", []string{"operations"}},
			{"security", unsigned},
			{"responses", object{
				{"200", object{{"description", "In the format of Prometheus."}, {"content", object{{"text/plain", object{}}}}}},
				{"403", text("Not for this address.")},
			}},
		}}}},
		{"/prometheus_discovery/{service}", object{{"get", object{
			{"operationId", "prometheusDiscovery"},
			{"summary", "Where Prometheus finds the figures of a service"},
			{"tags", []string{"operations"}},
			{"security", unsigned},
			{"parameters", []object{path("service", "as OpenIM calls it; all are this process, which api stands for")}},
			{"responses", object{
				{"200", object{{"description", "Targets of http_sd_config."}, {"content", inJSON(object{{"type", "array"}, {"items", object{{"type", "object"}}}})}}},
				{"404", text("There is no such service.")},
			}},
		}}}},
		{"/openapi.json", object{{"get", object{
			{"operationId", "openAPI"},
			{"summary", "This document"},
			{"tags", []string{"config"}},
			{"security", unsigned},
			{"responses", object{{"200", object{{"description", "OpenAPI 3.1."}, {"content", inJSON(object{{"type", "object"}})}}}}},
		}}}},
	}
}
