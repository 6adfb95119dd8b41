package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// answer is what a handler said, read as leniently as is safe.
type answer struct {
	actionCode, nextCode, errCode int
	errMsg, errDlt                string
	explicit                      bool                       // names actionCode or nextCode
	protocol                      bool                       // names any field of the envelope
	overrides                     map[string]json.RawMessage // every other field, by lower-case name
}

// formatError is a body that is not an answer. Its text ends in what operators
// of OpenIM search their logs for.
type formatError struct{ reason string }

func (e *formatError) Error() string { return e.reason + " response format error" }

var bom = []byte("\xEF\xBB\xBF")

// parseAnswer reads the body of a response. refuses is told apart from err:
// whatever else is wrong with the body, a first object that says nextCode 1 is a
// refusal, and a holds what could be read of it.
func parseAnswer(body []byte) (a answer, refuses bool, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), bom))
	if bytes.Equal(body, []byte("null")) {
		return a, false, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return a, false, syntaxOf(body, "the answer is not an object")
	}
	var fault error
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return a, refuses, syntaxOf(body, err.Error())
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return a, refuses, syntaxOf(body, err.Error())
		}
		name, _ := key.(string)
		// A number at the very end of the body may have been cut.
		whole := dec.InputOffset() < int64(len(body))
		if err := a.set(name, value); err != nil {
			fault = errors.Join(fault, err)
		} else if whole && strings.EqualFold(name, "nextCode") && a.nextCode == 1 {
			refuses = true
		}
	}
	if _, err := dec.Token(); err != nil {
		return a, refuses, syntaxOf(body, err.Error())
	}
	if rest := bytes.TrimSpace(body[dec.InputOffset():]); len(rest) > 0 {
		return a, refuses, syntaxOf(body, "data after top-level value")
	}
	if fault != nil {
		return a, refuses, &formatError{fault.Error()}
	}
	return a, refuses, nil
}

// set takes over one field. Only a code of the wrong type is an error.
func (a *answer) set(name string, value json.RawMessage) error {
	code := func(dest *int) error {
		a.protocol = true
		n, err := codeOf(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		*dest = n
		return nil
	}
	text := func(dest *string) {
		a.protocol = true
		var s string
		if json.Unmarshal(value, &s) == nil {
			*dest = s
		}
	}
	switch strings.ToLower(name) {
	case "actioncode":
		a.explicit = true
		return code(&a.actionCode)
	case "nextcode":
		a.explicit = true
		return code(&a.nextCode)
	case "errcode":
		return code(&a.errCode)
	case "errmsg":
		text(&a.errMsg)
	case "errdlt":
		text(&a.errDlt)
	default:
		if a.overrides == nil {
			a.overrides = map[string]json.RawMessage{}
		}
		a.overrides[strings.ToLower(name)] = value
	}
	return nil
}

// codeOf reads a code: an integer, an integral float, either of them in a
// string; "" and null are 0.
func codeOf(value json.RawMessage) (int, error) {
	text := string(value)
	if text == "null" {
		return 0, nil
	}
	if strings.HasPrefix(text, `"`) {
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return 0, err
		}
		if text = strings.TrimSpace(s); text == "" {
			return 0, nil
		}
		if !json.Valid([]byte(text)) { // ParseFloat takes more than JSON does
			return 0, fmt.Errorf("%q is not a number", short(s, 40))
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || f < math.MinInt32 || f > math.MaxInt32 {
		return 0, fmt.Errorf("%s is not a whole number", short(text, 40))
	}
	return int(f), nil
}

// syntaxOf words what is wrong with a body as encoding/json does for all of it,
// which is how OpenIM reports it.
func syntaxOf(body []byte, otherwise string) error {
	var any json.RawMessage
	if err := json.Unmarshal(body, &any); err != nil {
		return &formatError{err.Error()}
	}
	if otherwise == io.EOF.Error() {
		otherwise = "unexpected end of JSON input"
	}
	return &formatError{otherwise}
}
