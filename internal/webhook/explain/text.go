package explain

import "fmt"

// Text is a sentence for people: a format of package fmt and what it is about.
// It is English, as it is in JSON, until In renders it by other formats. The zero
// Text says nothing.
type Text struct {
	format string
	args   []any // texts among them are rendered alike
}

// say makes a text. Its format has to be written out where say is called: the
// tests read every call and want the format in Chinese.
func say(format string, args ...any) Text { return Text{format, args} }

// verbatim is what is the same in every language: what the server, a file or a
// handler says, or names.
func verbatim(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{"%s", []any{text}}
}

// In is the text by the formats of a catalogue; what it lacks stays English.
func (t Text) In(catalogue map[string]string) string {
	if t.IsZero() {
		return ""
	}
	format, ok := catalogue[t.format]
	if !ok {
		format = t.format
	}
	args := make([]any, len(t.args))
	for i, arg := range t.args {
		if inner, ok := arg.(Text); ok {
			arg = inner.In(catalogue)
		}
		args[i] = arg
	}
	return fmt.Sprintf(format, args...)
}

func (t Text) String() string { return t.In(nil) }

// IsZero implements what omitzero looks for.
func (t Text) IsZero() bool { return t.format == "" }

// MarshalText implements encoding.TextMarshaler.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Text) UnmarshalText(text []byte) error {
	*t = verbatim(string(text))
	return nil
}
