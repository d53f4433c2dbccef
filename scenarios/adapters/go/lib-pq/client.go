// lib/pq under database/sql: a pool of at most four, and the library's own listener.
// As in https://go.dev/doc/database/manage-connections and https://pkg.go.dev/github.com/lib/pq

package main

import (
	"context"
	"database/sql"
	"errors"
	"log"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/lib/pq"
)

// patience is how long the listener waits before it connects again, and before it checks a silent connection.
type patience struct{ first, longest, silence time.Duration }

var (
	documented = patience{10 * time.Second, time.Minute, 90 * time.Second} // in the library's own example
	short      = patience{100 * time.Millisecond, 2 * time.Second, 2 * time.Second}
)

// dialer is Go's own, in the library's form.
type dialer struct{ *net.Dialer }

func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	limited := *d.Dialer
	limited.Timeout = timeout
	return limited.Dial(network, address)
}

type pool struct{ db *sql.DB }

func (p pool) perform(ctx context.Context, op string, key int64) (*bool, error) {
	switch op {
	case "write":
		_, err := p.db.ExecContext(ctx, write, key)
		return nil, err
	case "read":
		var one int
		err := p.db.QueryRowContext(ctx, read, key).Scan(&one)
		found := err == nil
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return &found, err
	}
	return nil, p.transaction(ctx, key)
}

func (p pool) transaction(ctx context.Context, key int64) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // without effect after a commit
	if _, err := tx.ExecContext(ctx, "SELECT 1"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, write, key); err != nil {
		return err
	}
	return tx.Commit()
}

func (p pool) describe(err error) failure {
	var said *pq.Error
	if errors.As(err, &said) {
		return failure{Message: err.Error(), SQLState: string(said.Code)}
	}
	return failure{Message: err.Error()}
}

func listen(address string, dialer dialer, patience patience) {
	report := func(_ pq.ListenerEventType, err error) {
		if err != nil {
			log.Print("listener: ", err)
		}
	}
	listener := pq.NewDialListener(dialer, address, patience.first, patience.longest, report)
	if err := listener.Listen("pgsquall_news"); err != nil {
		panic(err) // it listens already, or was closed: neither can happen
	}
	listening(false)
	for {
		select {
		case notification := <-listener.Notify:
			if notification == nil { // the connection was lost and is open again
				listening(true)
			} else {
				heard(notification.Extra)
			}
		case <-time.After(patience.silence):
			go listener.Ping()
		}
	}
}

func main() {
	hello("lib-pq", "golang-github-lib-pq-dev", "transaction", "listen", "deadline", "tls")
	tuned := isTuned()
	address := os.Getenv("DATABASE_URL")
	dialer, patience := dialer{&net.Dialer{}}, documented
	if tuned {
		address = with(address, "connect_timeout", "5")      // seconds, of connecting as a whole
		address = with(address, "statement_timeout", "5000") // ms, the server's timer for each statement
		dialer.KeepAlive = 2 * time.Second                   // of silence before a probe, and between two
		patience = short
	}
	connector, err := pq.NewConnector(address)
	if err != nil {
		panic(err)
	}
	connector.Dialer(dialer)
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(workers)
	if tuned {
		db.SetMaxIdleConns(workers) // by default, those beyond two are closed after each use
		db.SetConnMaxLifetime(time.Minute)
	}
	serve(pool{db}, func() { listen(address, dialer, patience) })
	db.Close()
}

// with adds a parameter to a URL.
func with(address, name, value string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	parameters := parsed.Query()
	parameters.Set(name, value)
	parsed.RawQuery = parameters.Encode()
	return parsed.String()
}
