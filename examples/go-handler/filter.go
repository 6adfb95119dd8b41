package main

import (
	"encoding/json"
	"strings"

	"github.com/parley-im/parley/hooks"
	"github.com/parley-im/parley/hooks/payload"
)

// wordFilter refuses messages that hold one of its words, in lower case.
type wordFilter []string

// The sender waits for the answer: nothing here asks a database.
func (f wordFilter) judge(m payload.Message) hooks.Verdict {
	text := strings.ToLower(textOf(m))
	for _, word := range f {
		if strings.Contains(text, word) {
			return hooks.Refuse(5001, "the message was refused").WithDetail("it holds a forbidden word")
		}
	}
	return hooks.Allow()
}

// textOf is what a user reads of a message. Text messages (101) have it in
// content, those with mentions (106) in text; of others all of the JSON is looked
// at.
func textOf(m payload.Message) string {
	var said struct{ Content, Text string }
	if err := json.Unmarshal([]byte(m.Content), &said); err == nil && said.Content+said.Text != "" {
		return said.Content + said.Text
	}
	return m.Content
}
