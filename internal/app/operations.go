package app

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/parley-im/parley/internal/edge"
	"github.com/parley-im/parley/internal/outbox"
)

// maxScrapes is how many read metrics at a time; further ones are told to come
// again.
const maxScrapes = 4

// withOperations serves what load balancers and Prometheus ask for, in front of
// the API. These paths know no CORS: no page of anybody's reads them.
func (s *server) withOperations(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // whoever asked went away if this fails
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ready := s.ready.look(r.Context())
		status := http.StatusOK
		if !ready.Ready {
			status = http.StatusServiceUnavailable
		}
		answerJSON(w, status, ready)
	})
	if s.options.Config.Metrics.Enable {
		scrape := promhttp.HandlerFor(s.metrics.Gatherer(), promhttp.HandlerOpts{
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes,
		})
		mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
			if !s.mayMeasure(r) {
				http.Error(w, "metrics are for this machine and operations.metricsFrom of parley.yml", http.StatusForbidden)
				return
			}
			scrape.ServeHTTP(w, r)
		})
	}
	mux.HandleFunc("GET "+discoveryPath+"{service}", s.discover)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); strings.HasPrefix(pattern, "GET ") && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			mux.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// mayMeasure: this machine, and who was named.
func (s *server) mayMeasure(r *http.Request) bool {
	if s.front.peers.Local(r) {
		return true
	}
	from, err := edge.ParseNetworks(s.config.Config().Operations.MetricsFrom)
	return err == nil && from.Contain(s.front.peers.Addr(r)) // a checked configuration has no error
}

const discoveryPath = "/prometheus_discovery/"

// discoverable are the services of OpenIM that its Prometheus configuration asks
// for.
var discoverable = map[string]bool{
	"api": true, "user": true, "group": true, "msg": true, "friend": true, "conversation": true, "third": true, "auth": true,
	"push": true, "msg_gateway": true, "msg_transfer": true,
}

// target is what Prometheus' http_sd expects.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// discover tells Prometheus where metrics are. One process is all of OpenIM's
// services; it is scraped once, as the API, and not eleven times.
func (s *server) discover(w http.ResponseWriter, r *http.Request) {
	service := r.PathValue("service")
	if !discoverable[service] {
		http.NotFound(w, r)
		return
	}
	list := []target{}
	if service == "api" && s.options.Config.Metrics.Enable && s.mayMeasure(r) {
		t := target{Targets: []string{r.Host}, Labels: map[string]string{"namespace": "default"}}
		if r.TLS != nil {
			t.Labels["__scheme__"] = "https"
		}
		list = append(list, t)
	}
	answerJSON(w, http.StatusOK, list)
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked went away if this fails
}

// listenProfiles opens the address of profiles, if there is one.
func (s *server) listenProfiles() ([]net.Listener, error) {
	at := s.options.Config.Operations.Pprof
	if at == "" {
		return nil, nil
	}
	return s.listen([]string{at}, "", nil, "profiles")
}

func profileHandler() http.Handler {
	mux := http.NewServeMux()
	profiles(mux)
	return mux
}

// linger goes on for a while after the server was told to stop, so that who asks
// /readyz sends nothing more.
func (s *server) linger(delay time.Duration) {
	if delay <= 0 {
		return
	}
	s.log.Info("no longer ready; going on for a while", "delay", delay)
	fired, stop := outbox.SystemClock{}.Timer(delay)
	defer stop()
	<-fired
}

// profiles are Go's profiles of the running process:
// curl --unix-socket control.sock http://control/debug/pprof/profile
func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}
