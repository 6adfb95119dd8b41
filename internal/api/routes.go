package api

import (
	"net/http"
)

// routes lists every path with who may call it and what answers.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	post := func(path string, h http.Handler) { mux.Handle("POST "+path, h) }

	post("/auth/get_admin_token", call(s, anyone, s.adminToken))
	post("/auth/get_user_token", call(s, admin, s.userToken))
	post("/auth/parse_token", call(s, anyone, s.parseToken))
	post("/auth/force_logout", call(s, admin, s.forceLogout))

	return exact(mux)
}
