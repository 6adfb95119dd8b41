package config

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// defaultEndpoint is the name of the endpoint of webhooks.yml's own url.
const defaultEndpoint = "default"

// WithSecrets is the text of a webhooks.yml in which an endpoint has these
// secrets, "" for none. No other line changes.
func WithSecrets(text []byte, endpoint, secret, previous string) ([]byte, error) {
	root, errs := parseYAML(text)
	if len(errs) > 0 {
		return nil, fmt.Errorf("line %d: %w", errs[0].line, errs[0])
	}
	section, err := endpointSection(root, endpoint)
	if err != nil {
		return nil, err
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	// What is further down goes first, so that the numbers of lines stay true.
	for _, k := range []struct{ name, value string }{{"previousSecret", previous}, {"secret", secret}} {
		if lines, err = setLine(lines, section, k.name, k.value); err != nil {
			return nil, err
		}
		if root, errs = parseYAML(bytes.Join(lines, nil)); len(errs) > 0 {
			return nil, fmt.Errorf("line %d: %w", errs[0].line, errs[0])
		}
		if section, err = endpointSection(root, endpoint); err != nil {
			return nil, err
		}
	}
	return bytes.Join(lines, nil), nil
}

// endpointSection is the mapping with an endpoint's keys; nil is an empty file.
func endpointSection(root *node, endpoint string) (*node, error) {
	if endpoint == defaultEndpoint {
		if root.kind == nullNode {
			return nil, nil
		}
		return root, nil
	}
	for _, f := range root.fields {
		if !strings.EqualFold(f.name, "endpoints") {
			continue
		}
		for _, item := range f.val.items {
			for _, key := range item.fields {
				if strings.EqualFold(key.name, "name") && key.val.text == endpoint {
					return item, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("webhooks.yml has no endpoint %q", endpoint)
}

// setLine gives a key of a section a value, or takes the key away. The key has a
// line of its own, or gets one above the section's first.
func setLine(lines [][]byte, section *node, name, value string) ([][]byte, error) {
	line := []byte(name + ": " + strconv.Quote(value) + "\n")
	if section == nil {
		if value == "" {
			return lines, nil
		}
		return append([][]byte{line}, lines...), nil
	}
	for _, f := range section.fields {
		if !strings.EqualFold(f.name, name) {
			continue
		}
		old := lines[f.line-1]
		before := old[:min(f.col-1, len(old))]
		if len(bytes.Trim(before, " -")) > 0 || f.val.kind != nullNode && f.val.line != f.line {
			return nil, fmt.Errorf("line %d: %s does not stand on a line of its own; edit the file by hand", f.line, name)
		}
		if value == "" && bytes.Contains(before, []byte("-")) {
			line = []byte(name + ": \"\"\n")
		}
		if value == "" && !bytes.Contains(before, []byte("-")) {
			return slices.Delete(lines, f.line-1, f.line), nil
		}
		lines[f.line-1] = append(bytes.Clone(before), line...)
		return lines, nil
	}
	if value == "" || len(section.fields) == 0 {
		return lines, nil
	}
	first := section.fields[0]
	before := string(lines[first.line-1][:first.col-1])
	if strings.Trim(before, " -") != "" {
		return nil, fmt.Errorf("line %d: the endpoint stands on one line; edit the file by hand", first.line)
	}
	// Behind the first key: that may begin with the dash of a list.
	indent := strings.Repeat(" ", first.col-1)
	at := first.line
	if first.val.kind != scalarNode || first.val.line != first.line {
		return nil, fmt.Errorf("line %d: write %s: before it by hand", first.line, name)
	}
	return slices.Insert(lines, at, append([]byte(indent), line...)), nil
}
