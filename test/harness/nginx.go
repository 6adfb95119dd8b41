package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Nginx is an nginx that runs the recipe of deploy/nginx, with no more than
// addresses and paths changed.
type Nginx struct {
	Address string // host:port, TLS
	dir     string
	client  *http.Client // trusts its certificate
	child   *child
}

// StartNginx puts an nginx before a server, with its files in dir.
func StartNginx(dir string, behind *Server) (*Nginx, error) {
	binary, err := nginxBinary()
	if err != nil {
		return nil, err
	}
	root, err := repository()
	if err != nil {
		return nil, err
	}
	recipe, err := os.ReadFile(filepath.Join(root, "deploy", "nginx", "parley.conf"))
	if err != nil {
		return nil, err
	}
	n := &Nginx{dir: dir}
	if n.client, err = n.certify(); err != nil {
		return nil, err
	}
	// Nobody reserves a port for us, so one that was taken meanwhile means
	// another try.
	for range 5 {
		var plain string
		if n.Address, err = freePort(); err != nil {
			return nil, err
		}
		if plain, err = freePort(); err != nil {
			return nil, err
		}
		if err = n.configure(string(recipe), plain, behind); err != nil {
			return nil, err
		}
		if n.child, err = spawn(Options{Binary: binary}, []string{"-p", dir, "-e", filepath.Join(dir, "start.log"), "-c", filepath.Join(dir, "nginx.conf")}); err != nil {
			return nil, err
		}
		if err = n.child.awaitPort(n.Address); err == nil {
			return n, nil
		}
		n.Stop()
	}
	return nil, err
}

func nginxBinary() (string, error) {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path, nil
	}
	const debian = "/usr/sbin/nginx" // not in everybody's PATH
	if _, err := os.Stat(debian); err != nil {
		return "", errors.New("there is no nginx here; scripts/install-deps.sh installs it")
	}
	return debian, nil
}

// configure writes the recipe with our addresses and paths, inside what the
// distribution's nginx.conf would give.
func (n *Nginx) configure(recipe, plain string, behind *Server) error {
	_, api, _ := strings.Cut(behind.API, "://")
	_, ws, _ := strings.Cut(behind.WS, "://")
	for _, change := range [][2]string{
		{"server 127.0.0.1:10002;", "server " + api + ";"},
		{"server 127.0.0.1:10001;", "server " + ws + ";"},
		{"listen 80;", "listen " + plain + ";"},
		{"listen 443 ssl http2;", "listen " + n.Address + " ssl http2;"},
		{"/etc/ssl/im.example.com.pem", filepath.Join(n.dir, "cert.pem")},
		{"/etc/ssl/im.example.com.key", filepath.Join(n.dir, "key.pem")},
		{"/var/log/nginx/parley.log", filepath.Join(n.dir, "parley.log")},
		{"/var/log/nginx/parley-error.log", filepath.Join(n.dir, "parley-error.log")},
	} {
		if strings.Count(recipe, change[0]) != 1 {
			return fmt.Errorf("the recipe does not have %q once", change[0])
		}
		recipe = strings.Replace(recipe, change[0], change[1], 1)
	}
	who := ""
	if u, err := user.Current(); err == nil && u.Uid == "0" {
		who = "user root;\n" // others cannot look into a test's folder
	}
	var temp strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temp, "%s_temp_path %s;\n", name, filepath.Join(n.dir, name))
	}
	whole := fmt.Sprintf("%sdaemon off;\nmaster_process off;\npid %s;\nevents {}\nhttp {\n%s%s\n}\n", who, filepath.Join(n.dir, "pid"), &temp, recipe)
	return os.WriteFile(filepath.Join(n.dir, "nginx.conf"), []byte(whole), 0o600)
}

// certify makes a certificate for loopback and a client that trusts it alone.
func (n *Nginx) certify() (*http.Client, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	trust := x509.NewCertPool()
	trust.AddCert(cert)
	return n.clientWith(&tls.Config{RootCAs: trust}, ""), errors.Join(
		os.WriteFile(filepath.Join(n.dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(n.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600),
	)
}

func (n *Nginx) clientWith(trust *tls.Config, from string) *http.Client {
	dial := &net.Dialer{}
	if from != "" {
		dial.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: trust, DialContext: dial.DialContext, ForceAttemptHTTP2: true}}
}

// Client speaks to the nginx from another address of this machine, such as
// 127.0.0.5.
func (n *Nginx) Client(from string) *http.Client {
	return n.clientWith(n.client.Transport.(*http.Transport).TLSClientConfig, from)
}

// Front is the server as clients reach it through the nginx.
func (n *Nginx) Front(s *Server) *Server {
	return &Server{
		API: "https://" + n.Address + "/api", WS: "wss://" + n.Address + "/msg_gateway", Secret: s.Secret,
		opts: s.opts, child: s.child, client: n.client,
	}
}

// Log is what the nginx has logged of requests and errors so far.
func (n *Nginx) Log() string {
	var all strings.Builder
	for _, name := range []string{"start.log", "parley.log", "parley-error.log"} {
		raw, err := os.ReadFile(filepath.Join(n.dir, name))
		if err == nil {
			all.Write(raw)
		}
	}
	return all.String()
}

// Stop ends the nginx.
func (n *Nginx) Stop() {
	n.child.signal(syscall.SIGTERM)
	<-n.child.exited
}
