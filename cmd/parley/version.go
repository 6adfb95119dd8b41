package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// release and commit are set by the linker in released binaries.
var release, commit string

type versionCmd struct {
	JSON bool `name:"json" help:"One JSON object."`
}

// built is what a binary says of itself.
type built struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // "" if it was not built from a repository
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Run prints the version; the first line is for scripts.
func (v versionCmd) Run(w io.Writer) error {
	b := build()
	if v.JSON {
		return json.NewEncoder(w).Encode(b)
	}
	source := b.Commit
	switch {
	case source == "":
		source = "unknown"
	case b.Modified:
		source += ", modified"
	}
	_, err := fmt.Fprintf(w, "parley %s\n  commit    %s\n  go        %s\n  platform  %s\n", b.Version, source, b.Go, b.Platform)
	return err
}

func build() built {
	b := built{Version: version(), Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && b.Commit == "":
			b.Commit = s.Value
		case s.Key == "vcs.modified" && commit == "":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
