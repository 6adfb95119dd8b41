package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// AdminID is the administrator every server starts with.
const AdminID = "imAdmin"

const callTimeout = 20 * time.Second

// Error is the server's refusal of a REST call.
type Error struct {
	Path   string
	Code   int    `json:"errCode"`
	Msg    string `json:"errMsg"`
	Detail string `json:"errDlt"`
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %d %s %s", e.Path, e.Code, e.Msg, e.Detail)
}

// Post makes one REST call. data receives the answer's data and may be nil; a
// refusal comes back as *Error.
func (s *Server) Post(path, token string, body, data any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.API+path, bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("operationID", "harness-"+rand.Text())
	if token != "" {
		req.Header.Set("token", token)
	}
	client := s.client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	envelope := struct {
		Error
		Data json.RawMessage `json:"data"`
	}{}
	if err := json.Unmarshal(answer, &envelope); err != nil {
		return fmt.Errorf("%s: status %d, body %q: %w", path, resp.StatusCode, answer, err)
	}
	if envelope.Code != 0 {
		refusal := envelope.Error
		refusal.Path = path
		return &refusal
	}
	if data == nil {
		return nil
	}
	if err := json.Unmarshal(envelope.Data, data); err != nil {
		return fmt.Errorf("%s: data %q: %w", path, envelope.Data, err)
	}
	return nil
}

// AdminToken is the administrator's token, asked for once.
func (s *Server) AdminToken() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.adminToken == "" {
		var got struct{ Token string }
		err := s.Post("/auth/get_admin_token", "", map[string]any{"secret": s.Secret, "userID": AdminID}, &got)
		if err != nil {
			return "", err
		}
		s.adminToken = got.Token
	}
	return s.adminToken, nil
}

// PostAdmin is Post as the administrator.
func (s *Server) PostAdmin(path string, body, data any) error {
	token, err := s.AdminToken()
	if err != nil {
		return err
	}
	return s.Post(path, token, body, data)
}

// Register makes users whose nicknames and faces follow from their ids.
func (s *Server) Register(userIDs ...string) error {
	users := make([]map[string]any, 0, len(userIDs))
	for _, id := range userIDs {
		users = append(users, map[string]any{"userID": id, "nickname": Nickname(id), "faceURL": FaceURL(id)})
	}
	return s.PostAdmin("/user/user_register", map[string]any{"users": users}, nil)
}

// Nickname is what Register calls a user.
func Nickname(userID string) string { return "nick " + userID }

// FaceURL is the picture Register gives a user.
func FaceURL(userID string) string { return "http://faces.test/" + userID + ".png" }

// UserToken asks for a new token. With the default login policy this alone makes
// the user's earlier token for the same platform a kicked one.
func (s *Server) UserToken(userID string, platformID int) (string, error) {
	var got struct{ Token string }
	err := s.PostAdmin("/auth/get_user_token", map[string]any{"userID": userID, "platformID": platformID}, &got)
	return got.Token, err
}

// AnotherToken is UserToken that insists on a token other than old. Tokens made
// for a user and platform within one second are the same, as OpenIM's are; and a
// login with the same token again kicks nobody.
func (s *Server) AnotherToken(userID string, platformID int, old string) (string, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		got, err := s.UserToken(userID, platformID)
		if err != nil || got != old {
			return got, err
		}
		<-tick.C
	}
	return "", fmt.Errorf("%s keeps getting the same token", userID)
}

// UserID makes an id no other test uses: tests share a server.
func UserID(name string) string { return name + strings.ToLower(rand.Text()[:10]) }
