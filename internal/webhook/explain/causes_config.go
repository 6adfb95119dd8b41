package explain

import (
	"slices"
	"strings"

	"github.com/parley-im/parley/internal/config"
	"github.com/parley-im/parley/internal/webhook"
	"github.com/parley-im/parley/internal/webhook/registry"
)

// problems are the findings about the files: of the refused edits since, and of
// what is in effect.
func (s *subject) problems(kind config.Kind) []config.Problem {
	var out []config.Problem
	add := func(list []config.Problem) {
		for _, p := range list {
			if p.Kind == kind && !slices.ContainsFunc(out, func(o config.Problem) bool { return o.Error() == p.Error() }) {
				out = append(out, p)
			}
		}
	}
	for _, r := range s.Refused {
		add(r.Problems)
	}
	add(s.Config.Problems)
	return out
}

func shown(list []config.Problem) []Text {
	out := make([]Text, len(list))
	for i, p := range list {
		out[i] = verbatim(p.Error())
	}
	return out
}

// checkNesting: the keys of webhooks.yml sit under another one.
func checkNesting(s *subject) []Finding {
	if !s.asked {
		return nil
	}
	list := s.problems(config.Nested)
	if len(list) == 0 {
		return nil
	}
	return s.finding(Problem, CauseNesting, say("the keys of %s are one level too deep, so none of them counts", list[0].File),
		say("move the contents to the top level and remove the line above them"), shown(list)...)
}

// checkMisspelled: a name that is no key, and may stand for this one.
func checkMisspelled(s *subject) []Finding {
	if !s.asked {
		return nil
	}
	upper := strings.ToUpper(s.desc.Key)
	list := slices.DeleteFunc(append(s.problems(config.Unknown), s.problems(config.Variable)...), func(p config.Problem) bool {
		// A name far from every key may stand for any.
		suggests := strings.Contains(p.Message, "did you mean") || strings.Contains(p.Message, "'") && strings.Contains(p.Message, "is '")
		return suggests && !strings.Contains(p.Message, "'"+s.desc.Key+"'") && !strings.HasPrefix(p.Path, s.desc.Key+".") && !strings.Contains(p.Message, "_"+upper+"_")
	})
	if len(list) == 0 {
		return nil
	}
	return s.finding(Problem, CauseMisspelled, say("a name is misspelled, so what it sets does not count"), say("correct the name"), shown(list)...)
}

// checkPlaceholder: url holds what only a router's example does.
func checkPlaceholder(s *subject) []Finding {
	list := s.problems(config.Base)
	if !s.asked || len(list) == 0 {
		return nil
	}
	return s.finding(Problem, CausePlaceholder, say("the address of the handler cannot be used"), say("write the base address only: the server appends the command"), shown(list)...)
}

// checkRefused: the files are not what the server uses.
func checkRefused(s *subject) []Finding {
	if !s.asked || len(s.Refused) == 0 {
		return nil
	}
	if !s.Running {
		return s.finding(Note, CauseRefused, say("a server does not start with these files"), say("correct every error"), shown(s.Refused[0].Problems)...)
	}
	return s.finding(Problem, CauseRefused,
		say("the files were edited and refused at %s; the configuration of %s is still in effect", stamp(s.Refused[0].At), stamp(s.Since)),
		say("correct every error: the next good edit is taken over"), shown(s.Refused[0].Problems)...)
}

// checkVariable: a variable is set where the question was asked and not in the
// server.
func checkVariable(s *subject) []Finding {
	if !s.asked || !s.Running {
		return nil
	}
	prefix := "IMENV_WEBHOOKS_" + strings.ToUpper(s.desc.Key) + "_"
	var missing []string
	for _, name := range s.CallerEnv {
		if (strings.HasPrefix(name, prefix) || name == "IMENV_WEBHOOKS_URL") && !slices.Contains(s.Config.Env, name) {
			missing = append(missing, name)
		}
	}
	remedy := say("hand the variable to the process: with docker compose list it under environment: of the service and recreate the container (up -d --force-recreate); editing .env alone, or a restart, changes nothing")
	if len(missing) > 0 {
		slices.Sort(missing)
		evidence := make([]Text, len(missing))
		for i, name := range missing {
			evidence[i] = say("%s is set here and not in the server's environment", name)
		}
		return s.finding(Problem, CauseVariable, say("a variable never reached the server's process"), remedy, evidence...)
	}
	if s.on() || s.enableSource() != "default" || slices.ContainsFunc(s.Config.Env, func(name string) bool { return strings.HasPrefix(name, prefix) }) {
		return nil
	}
	evidence := say("variables in the process: none of IMENV_WEBHOOKS_*")
	var there []string
	for _, name := range s.Config.Env {
		if strings.HasPrefix(name, "IMENV_WEBHOOKS_") {
			there = append(there, name)
		}
	}
	if len(there) > 0 {
		evidence = say("variables in the process: %s", strings.Join(there, ", "))
	}
	return s.finding(Note, CauseVariable, say("if %sENABLE was meant to switch it on, it never reached the server's process", prefix), remedy, evidence)
}

// checkOff: nobody switched the callback on.
func checkOff(s *subject) []Finding {
	if !s.asked || s.config.Enable {
		return nil
	}
	var told []string
	var others []Text
	for _, r := range s.routes[1:] {
		switch {
		case r.wants && r.kind != "shadow":
			told = append(told, r.name)
		case s.desc.Kind == registry.After && r.kind != "shadow":
			others = append(others, say("endpoint %s: %s", r.name, r.by))
		}
	}
	if len(told) > 0 {
		return s.finding(Note, CauseOff, say("the handler of url is not told, and of the list of endpoints only %s", strings.Join(told, ", ")),
			say("set %s.enable to true at the top level of webhooks.yml, if it should be", s.desc.Key), others...)
	}
	evidence := []Text{say("enable is false by %s", s.shownSource())}
	if s.enableSource() == "default" {
		evidence = []Text{say("nothing sets %s.enable, in no file and no variable", s.desc.Key)}
	}
	return s.finding(Problem, CauseOff, say("the callback is off"), say("set %s.enable to true at the top level of webhooks.yml", s.desc.Key), append(evidence, others...)...)
}

// checkLegacyKey: of a pair of keys, the one is on that current clients never
// make happen.
func checkLegacyKey(s *subject) []Finding {
	if !s.asked {
		return nil
	}
	on := s.enabled()
	if ex := s.desc.LegacyOf; ex != "" {
		text := say("%s is fired by a deprecated endpoint only; current clients use the one that fires %s", s.desc.Key, ex)
		state := say("%s is off", ex)
		if on[ex] {
			state = say("%s is on", ex)
		}
		sev := Problem
		if on[ex] {
			sev = Note
		}
		return s.finding(sev, CauseLegacyKey, text, say("enable %s, and route %s in the handler", ex, command(ex)), state)
	}
	for _, c := range registry.All() {
		if c.LegacyOf == s.desc.Key && on[c.Key] && !s.on() {
			return s.finding(Problem, CauseLegacyKey, say("%s is on instead, which only a deprecated endpoint fires", c.Key),
				say("enable %s, and route %s in the handler", s.desc.Key, s.desc.Command), say("%s is on, %s is off", c.Key, s.desc.Key))
		}
	}
	return nil
}

func (s *subject) enabled() map[string]bool {
	on := make(map[string]bool)
	for _, c := range s.Config.Webhooks.Callbacks {
		desc, _ := registry.Lookup(c.Key)
		on[c.Key] = c.Enable || desc.Kind == registry.After && slices.ContainsFunc(s.Config.Webhooks.Endpoints, func(e config.ListedEndpoint) bool {
			return !e.Shadow && slices.ContainsFunc(e.Events, func(pattern string) bool { return webhook.Match(pattern, c.Key) })
		})
	}
	return on
}

func command(key string) string {
	c, _ := registry.Lookup(key)
	return c.Command
}

// checkStage: the other half of a before and after pair is on, or an answer
// wants to refuse what has happened already.
func checkStage(s *subject) []Finding {
	for _, d := range s.calls {
		if s.desc.Kind == registry.After && refuses(d.Answer) {
			return s.finding(Problem, CauseWrongStage, say("the handler refuses in the answer to an after-callback, where nobody looks at the answer: the operation is done"),
				stageRemedy(s.desc.Key), began(d.Answer))
		}
	}
	other := otherStage(s.desc.Key)
	if !s.asked || s.on() || other == "" || !s.enabled()[other] {
		return nil
	}
	if s.desc.Kind == registry.Before {
		return s.finding(Problem, CauseWrongStage, say("%s is on instead: it reports what is done already, and its answer changes nothing", other),
			say("enable %s to refuse or change", s.desc.Key), say("%s is on, %s is off", other, s.desc.Key))
	}
	return s.finding(Problem, CauseWrongStage, say("%s is on instead: it asks before anything is stored, and is asked of what is then refused, too", other),
		say("enable %s to be told of what was stored", s.desc.Key), say("%s is on, %s is off", other, s.desc.Key))
}

func stageRemedy(key string) Text {
	if other := otherStage(key); other != "" {
		return say("enable %s and refuse there", other)
	}
	return say("refuse in a before-callback")
}

// otherStage is the key of the same thing before or after, "" if there is none.
func otherStage(key string) string {
	other, ok := strings.CutPrefix(key, "before")
	if ok {
		other = "after" + other
	} else {
		other = "before" + strings.TrimPrefix(key, "after")
	}
	if _, known := registry.Lookup(other); !known {
		return ""
	}
	return other
}
