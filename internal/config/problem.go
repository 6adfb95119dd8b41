package config

import (
	"fmt"
	"slices"
	"strings"
)

// Severity ranks a Problem.
type Severity uint8

const (
	// Hint is worth knowing; nothing is wrong.
	Hint Severity = iota + 1
	// Warning is probably not what the operator wants.
	Warning
	// Error refuses the configuration.
	Error
)

func (s Severity) String() string {
	switch s {
	case Hint:
		return "hint"
	case Warning:
		return "warning"
	case Error:
		return "error"
	default:
		return "unknown"
	}
}

// MarshalText writes the severity as a word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(b []byte) error {
	for _, known := range []Severity{Hint, Warning, Error} {
		if known.String() == string(b) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("%q is no severity", b)
}

// Kind names the mistakes that are made most often.
type Kind string

// Kinds of problems.
const (
	Nested    Kind = "nested"   // webhooks under another level
	Unknown   Kind = "unknown"  // a name that is no key
	Variable  Kind = "variable" // a name of a variable that is no key's
	Base      Kind = "url"      // a URL that cannot be one
	LegacyKey Kind = "legacy"   // only the key that current clients do not use
)

// Problem is one finding, with the place to correct it.
type Problem struct {
	File     string   `json:"file"` // file name, name of an environment variable, or "" for neither
	Line     int      `json:"line"` // from 1; 0 when there is no line
	Col      int      `json:"col"`
	Path     string   `json:"path"` // key, dotted
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
	Kind     Kind     `json:"kind,omitempty"`

	// name marks findings about unknown names, which the lenient switch turns
	// into warnings.
	name bool
}

// Error renders the finding as "file:line:col: message".
func (p Problem) Error() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Line == 0:
		return p.File + ": " + p.Message
	case p.Col == 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
	default:
		return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
	}
}

// Problems is why a configuration was refused: every error of every file.
type Problems struct {
	List []Problem
}

func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, problem := range p.List {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As and errors.Is the single findings.
func (p *Problems) Unwrap() []error {
	errs := make([]error, len(p.List))
	for i, problem := range p.List {
		errs[i] = problem
	}
	return errs
}

// sortProblems puts findings in reading order: by file, then by place.
func sortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
}
