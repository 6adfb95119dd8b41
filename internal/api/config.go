package api

import (
	"context"

	"github.com/parley-im/parley/internal/im"
	"github.com/parley-im/parley/internal/reload"
)

// Configuration is the server's own configuration, met by *reload.Service.
type Configuration interface {
	FileNames() []string
	File(name string) (json string, found bool)
	SetFile(ctx context.Context, name string, data []byte) error
	Reload(ctx context.Context, cause string) (reload.Outcome, error)
	Status() reload.Status
}

type configList struct {
	Environment string   `json:"environment"`
	Version     string   `json:"version"`
	ConfigNames []string `json:"configNames"`
}

// configNames lists the files. OpenIM's environment is where it runs: from
// source, in Docker or Kubernetes.
func (s *server) configNames(context.Context, *struct{}) (configList, error) {
	return configList{"source", s.Version, s.Config.FileNames()}, nil
}

type configReq struct {
	ConfigName string `json:"configName"`
	Data       string `json:"data"`
}

func (s *server) getConfig(_ context.Context, r *configReq) (string, error) {
	text, found := s.Config.File(r.ConfigName)
	if !found {
		return "", im.ErrArgs.With("config name not found")
	}
	return text, nil
}

// setConfig changes webhooks.yml.
func (s *server) setConfig(ctx context.Context, r *configReq) (none, error) {
	return none{}, s.Config.SetFile(ctx, r.ConfigName, []byte(r.Data))
}

type configManager struct {
	Enable bool `json:"enable"`
}

// getConfigManager: there is no store of configurations beside the files.
func (s *server) getConfigManager(context.Context, *struct{}) (configManager, error) {
	return configManager{}, nil
}

func (s *server) setConfigManager(_ context.Context, r *configManager) (none, error) {
	if !r.Enable {
		return none{}, nil
	}
	return none{}, reload.NotSupported("the configuration is what the files say; there is no copy to manage")
}

func (s *server) resetConfig(context.Context, *struct{}) (none, error) {
	return none{}, reload.NotSupported("the configuration is what the files say; there is nothing to reset to")
}

func (s *server) restart(ctx context.Context, _ *struct{}) (none, error) {
	if s.Restart == nil {
		return none{}, reload.NotSupported("restart the process; what can change without one is taken over by /config/reload")
	}
	return none{}, s.Restart(ctx)
}

// reloadConfig and configStatus are Parley's own.
func (s *server) reloadConfig(ctx context.Context, _ *struct{}) (reload.Outcome, error) {
	out, err := s.Config.Reload(ctx, reload.CauseRequest)
	if err != nil {
		return out, im.ErrArgs.With("%s", err)
	}
	return out, nil
}

func (s *server) configStatus(context.Context, *struct{}) (reload.Status, error) {
	return s.Config.Status(), nil
}
