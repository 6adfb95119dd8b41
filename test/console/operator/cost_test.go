package operator

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkOnlookers prints what people who look on cost a send with a
// before-callback: with ten open tails, one of whose readers stands still, and
// with an open overview, each against none in interleaved runs.
//
//	go test -run='^$' -bench=Onlookers -benchtime=1x ./operator
func BenchmarkOnlookers(b *testing.B) {
	for name, look := range map[string]func(context.Context, *http.Client) error{
		"ten tails, one stalled": func(ctx context.Context, c *http.Client) error {
			for i := range 10 {
				if err := follow(ctx, c, "/webhooks/live/calls", i > 0); err != nil {
					return err
				}
			}
			return nil
		},
		"an idle overview": func(ctx context.Context, c *http.Client) error { return follow(ctx, c, "/overview/figures", true) },
	} {
		b.Run(name, func(b *testing.B) {
			client, err := onlooker()
			if err != nil {
				b.Fatal(err)
			}
			var ratios []float64
			for b.Loop() {
				for range 5 {
					without, err := median(300)
					if err != nil {
						b.Fatal(err)
					}
					ctx, leave := context.WithCancel(b.Context())
					if err := look(ctx, client); err != nil {
						b.Fatal(err)
					}
					with, err := median(300)
					leave()
					if err != nil {
						b.Fatal(err)
					}
					ratios = append(ratios, float64(with)/float64(without))
				}
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "with/without")
		})
	}
}

// onlooker is logged in.
func onlooker() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar}
	req, err := http.NewRequest(http.MethodPost, shared.Console+"/login", strings.NewReader(url.Values{"secret": {shared.Secret}}.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", shared.API)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("login: %s", resp.Status)
	}
	return client, nil
}

// follow opens a stream, and reads it or does not.
func follow(ctx context.Context, client *http.Client, path string, reads bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, shared.Console+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	go func() {
		defer func() { _ = resp.Body.Close() }()
		if !reads {
			<-ctx.Done()
			return
		}
		for lines := bufio.NewReader(resp.Body); ; {
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	return nil
}

// median is the time of half of n sends, one after the other.
func median(n int) (time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		if _, code, err := shared.send("ann", "bob", "hello", fmt.Sprintf("cost-%d", i)); err != nil || code != 0 {
			return 0, fmt.Errorf("refused with %d: %w", code, err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[n/2], nil
}
