package config

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// WebhooksText turns what somebody wants webhooks.yml to be into its text. YAML
// stays as it is. JSON, which is what File shows, becomes YAML: without the keys
// that have their default, and with the present value for a secret that is still
// masked.
func (e *Effective) WebhooksText(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return data, nil
	}
	root, errs := parseYAML(data) // JSON is YAML
	if len(errs) > 0 {
		return nil, fmt.Errorf("line %d: %w", errs[0].line, errs[0])
	}
	if root.kind != mapNode {
		return nil, errors.New("expected a JSON object")
	}
	w := textWriter{effective: e, defaults: newDraft("")}
	if err := w.section(schemaOf(webhooksFile).keys, "", "", root); err != nil {
		return nil, err
	}
	return w.out.Bytes(), nil
}

type textWriter struct {
	effective *Effective
	defaults  *draft
	out       bytes.Buffer
}

func (w *textWriter) section(keys []key, prefix, indent string, n *node) error {
	for _, f := range n.fields {
		name := f.name
		k := findKey(keys, name)
		if k != nil {
			name = k.name
		}
		path := prefix + name
		switch {
		case f.val.kind == nullNode:
		case f.val.kind == mapNode && (k == nil || k.kind == section):
			var inner []key
			if k != nil {
				inner = k.keys
			}
			before := w.out.Len()
			fmt.Fprintf(&w.out, "%s%s:\n", indent, name)
			header := w.out.Len()
			if err := w.section(inner, path+".", indent+"  ", f.val); err != nil {
				return err
			}
			if w.out.Len() == header && k != nil {
				w.out.Truncate(before)
			} else if w.out.Len() == header {
				w.out.Truncate(before)
				fmt.Fprintf(&w.out, "%s%s: {}\n", indent, name) // for the check to refuse
			}
		case f.val.kind == scalarNode && strings.Contains(f.val.text, hidden):
			text, err := w.effective.present(path, f.val.text)
			if err != nil {
				return err
			}
			if text != "" {
				fmt.Fprintf(&w.out, "%s%s: %s\n", indent, name, strconv.Quote(text))
			}
		case k != nil && w.isDefault(k, f.val):
		default:
			value, err := flow(f.val)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			fmt.Fprintf(&w.out, "%s%s: %s\n", indent, name, value)
		}
	}
	return nil
}

func (w *textWriter) isDefault(k *key, n *node) bool {
	if k.bind == nil {
		return false
	}
	before := format(k.bind(w.defaults), k.kind)
	if err := assign(k.bind(w.defaults), k.kind, n); err != nil {
		return false // for the check to refuse
	}
	return format(k.bind(w.defaults), k.kind) == before
}

// present is the value behind a masked one, as the file has it.
func (e *Effective) present(path, shown string) (string, error) {
	id := leafID(webhooksFile, path)
	for _, v := range e.values {
		if v.leaf.id != id || v.shown() != shown {
			continue
		}
		if strings.HasPrefix(v.source, "env ") {
			return "", nil // it wins over the file anyway
		}
		return v.text, nil
	}
	return "", fmt.Errorf("%s is masked: give its value or leave it out", path)
}

// flow writes a value on one line.
func flow(n *node) (string, error) {
	switch n.kind {
	case scalarNode:
		if !n.quoted {
			return n.text, nil
		}
		return strconv.Quote(n.text), nil
	case listNode:
		items := make([]string, len(n.items))
		for i, item := range n.items {
			var err error
			if items[i], err = flow(item); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	default:
		return "", errors.New("expected a value")
	}
}
