package main

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

var (
	//go:embed completion.bash
	bashCompletion string
	//go:embed completion.zsh
	zshCompletion string
	//go:embed completion.fish
	fishCompletion string
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how the scripts are installed.
func (completionCmd) Help() string {
	return `In bash: source <(parley completion bash), or write it to /etc/bash_completion.d/parley.

In zsh: parley completion zsh > "${fpath[1]}/_parley"

In fish: parley completion fish > ~/.config/fish/completions/parley.fish`
}

// Run prints a script. The scripts know nothing of the commands: they ask the
// binary.
func (c *completionCmd) Run(w io.Writer) error {
	script := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	_, err := io.WriteString(w, script)
	return err
}

type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words after parley, the last of which is begun."`
}

// Run prints a line for everything that may come: the word, a tab, what it is.
// Nothing means a file name, or free text.
func (c *completeCmd) Run(k *kong.Context, w io.Writer) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, next := range complete(k.Model.Node, words) {
		if _, err := fmt.Fprintf(w, "%s\t%s\n", next.word, next.help); err != nil {
			return err
		}
	}
	return nil
}

// candidate is a word that may come next.
type candidate struct{ word, help string }

// complete lists what the last of the words may become.
func complete(node *kong.Node, words []string) []candidate {
	var (
		waiting *kong.Flag // its value comes next
		given   int        // positional arguments
		only    bool       // after "--" there are no flags
	)
	begun := words[len(words)-1]
	for _, word := range words[:len(words)-1] {
		switch {
		case waiting != nil && word == "=": // bash splits there
		case waiting != nil:
			waiting = nil
		case word == "--":
			only = true
		case !only && strings.HasPrefix(word, "-"):
			name, _, hasValue := strings.Cut(word, "=")
			if f := findFlag(node, name); f != nil && !f.IsBool() && !hasValue {
				waiting = f
			}
		default:
			if child := findChild(node, word); child != nil {
				node = child
			} else {
				given++
			}
		}
	}
	if name, value, ok := strings.Cut(begun, "="); ok && waiting == nil && !only && strings.HasPrefix(name, "-") {
		f := findFlag(node, name)
		if f == nil {
			return nil
		}
		found := values(f.Value, value)
		for i := range found {
			found[i].word = name + "=" + found[i].word
		}
		return found
	}
	switch {
	case waiting != nil:
		return values(waiting.Value, strings.TrimPrefix(begun, "="))
	case !only && strings.HasPrefix(begun, "-"):
		return flags(node, begun)
	}
	var found []candidate
	for _, child := range node.Children {
		if !child.Hidden && child.Type == kong.CommandNode && strings.HasPrefix(child.Name, begun) {
			found = append(found, candidate{child.Name, child.Help})
		}
	}
	if given < len(node.Positional) {
		found = append(found, values(node.Positional[given], begun)...)
	}
	return found
}

func findChild(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name || slices.Contains(child.Aliases, name) {
			return child
		}
	}
	return nil
}

func findFlag(node *kong.Node, name string) *kong.Flag {
	for _, group := range node.AllFlags(false) {
		for _, f := range group {
			long := strings.TrimPrefix(name, "--")
			if name == "--"+long && (f.Name == long || slices.Contains(f.Aliases, long)) || f.Short != 0 && name == "-"+string(f.Short) {
				return f
			}
		}
	}
	return nil
}

func flags(node *kong.Node, begun string) (found []candidate) {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			if word := "--" + f.Name; strings.HasPrefix(word, begun) {
				found = append(found, candidate{word, f.Help})
			}
		}
	}
	return found
}

// values are those of a list, if there is one.
func values(v *kong.Value, begun string) (found []candidate) {
	for _, word := range v.EnumSlice() {
		if word != "" && strings.HasPrefix(word, begun) {
			found = append(found, candidate{word, ""})
		}
	}
	return found
}
