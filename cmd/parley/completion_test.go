package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&cli{}, kong.Name("parley"))
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"ba":                                 "backup",
		"webhook re":                         "resume recover replay record",
		"webhook resume ":                    "",
		"backup --d":                         "--data",
		"backup --data=/x f":                 "",
		"backup --data /x --h":               "--help",
		"backup --data --h":                  "", // a value
		"backup -- --d":                      "", // a file
		"completion ":                        "bash zsh fish",
		"completion b":                       "bash",
		"completion bash ":                   "", // one is enough
		"serve -c /x --config-l":             "--config-lenient",
		"serve -c = /x --config-l":           "--config-lenient", // as bash splits it
		"serve --config_folder_path x --co":  "--config --config-lenient",
		"nothing --":                         "--help",
		"__":                                 "", // hidden
		"serve -":                            "--help --config --data --config-lenient --api-addr --ws-addr --ready-file",
		"webhook deliveries --outcome x --j": "--json",
	} {
		var got []string
		for _, c := range complete(parser.Model.Node, strings.Split(line, " ")) {
			got = append(got, c.word)
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}
