// The adapter protocol, for clients in Go: requests on stdin, answers on stdout, one JSON object per line.
// Independent of any library. A client performs operations, and listens if it can.

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	workers = 4
	write   = "INSERT INTO pgsquall_ledger (id) VALUES ($1)"
	read    = "SELECT 1 FROM pgsquall_ledger WHERE id = $1"

	farewell      = time.Second // for operations in progress when stdin ends
	queryCanceled = "57014"
)

type request struct {
	ID       int64  `json:"id"`
	Op       string `json:"op"`
	Key      int64  `json:"key"`
	Deadline int64  `json:"deadline_ms"`
}

type answer struct {
	ID    int64    `json:"id"`
	OK    bool     `json:"ok,omitempty"`
	Found *bool    `json:"found,omitempty"`
	Error *failure `json:"error,omitempty"`
}

// failure is the library's error of a failed operation.
type failure struct {
	Message   string `json:"message"`
	SQLState  string `json:"sqlstate,omitempty"`
	Retryable *bool  `json:"retryable,omitempty"`
	Kind      string `json:"kind,omitempty"`
}

// client performs operations; a read returns whether the key was found, a failed one its error.
type client interface {
	perform(ctx context.Context, op string, key int64) (found *bool, err error)
	describe(err error) failure
}

// isTuned says whether the profile, the last argument, is the tuned one.
func isTuned() bool {
	profile := os.Args[len(os.Args)-1]
	if profile != "default" && profile != "tuned" {
		panic("the last argument must be default or tuned")
	}
	return profile == "tuned"
}

// hello prints the hello. The libraries do not report their version, so dpkg does: they are Debian packages.
func hello(name, debianPackage string, capabilities ...string) {
	version, err := exec.Command("dpkg-query", "--show", "--showformat=${Version}", debianPackage).Output()
	if err != nil {
		version = []byte("unknown")
	}
	say(map[string]any{"hello": map[string]any{
		"name": name, "version": string(version), "concurrency": workers, "capabilities": capabilities,
	}})
}

// serve answers requests until stdin ends; returns whether all have ended. A panic ends the process.
func serve(client client, listen func()) bool {
	var underWay sync.WaitGroup
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		asked := time.Now()
		var request request
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			panic(err)
		}
		if request.Op == "listen" {
			go listen()
			continue
		}
		underWay.Add(1)
		go func() {
			defer underWay.Done()
			say(perform(client, request, asked))
		}()
	}
	ended := make(chan struct{})
	go func() {
		underWay.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-time.After(farewell):
		return false
	}
}

func perform(client client, request request, asked time.Time) answer {
	ctx := context.Background()
	if request.Deadline > 0 {
		limited, cancel := context.WithDeadline(ctx, asked.Add(time.Duration(request.Deadline)*time.Millisecond))
		defer cancel()
		ctx = limited
	}
	found, err := client.perform(ctx, request.Op, request.Key)
	if err == nil {
		return answer{ID: request.ID, OK: true, Found: found}
	}
	failure := client.describe(err)
	switch {
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || failure.SQLState == queryCanceled):
		failure.Kind = "deadline"
	case failure.SQLState == "":
		failure.Kind = kind(err)
	}
	return answer{ID: request.ID, Error: &failure}
}

func kind(err error) string {
	var timed net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	case errors.As(err, &timed) && timed.Timeout():
		return "timeout"
	}
	return "other"
}

// listening reports that the subscription listens: for the first time, or again after it was lost.
func listening(again bool) {
	if again {
		say(map[string]any{"gap": true})
	} else {
		say(answer{ID: 0, OK: true})
	}
}

func heard(payload string) {
	say(map[string]any{"notification": map[string]any{"payload": payload}})
}

var stdout sync.Mutex

func say(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	stdout.Lock()
	defer stdout.Unlock()
	fmt.Println(string(text))
}
