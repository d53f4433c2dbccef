// pgx with its pool of four, and one more connection that listens.
// As in https://pkg.go.dev/github.com/jackc/pgx/v4/pgxpool and https://pkg.go.dev/github.com/jackc/pgx/v4

package main

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	pause     = time.Second     // between two attempts to listen
	bound     = 5 * time.Second // of connecting, and of a check
	lifetime  = time.Minute     // of a connection, so that certificates and hosts are read again
	keepAlive = 2 * time.Second // of silence before a probe, and between two
)

type pool struct{ *pgxpool.Pool }

func (p pool) perform(ctx context.Context, op string, key int64) (*bool, error) {
	switch op {
	case "write":
		_, err := p.Exec(ctx, write, key)
		return nil, err
	case "read":
		var one int
		err := p.QueryRow(ctx, read, key).Scan(&one)
		found := err == nil
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return &found, err
	}
	return nil, p.BeginFunc(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT 1"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, write, key)
		return err
	})
}

func (p pool) describe(err error) failure {
	failure := failure{Message: err.Error()}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		failure.SQLState = said.Code
	}
	if pgconn.SafeToRetry(err) { // nothing has been sent; otherwise the library has no opinion
		retryable := true
		failure.Retryable = &retryable
	}
	return failure
}

// listen listens until the process ends. A subscription ends with its connection; the library does not renew it.
func listen(config *pgx.ConnConfig) {
	again := false
	for {
		if err := listenOnce(config, &again); err != nil {
			log.Print("not listening: ", err)
		}
		time.Sleep(pause)
	}
}

func listenOnce(config *pgx.ConnConfig, again *bool) error {
	ctx := context.Background()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "LISTEN pgsquall_news"); err != nil {
		return err
	}
	listening(*again)
	*again = true
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		heard(notification.Payload)
	}
}

// tune applies the settings for recovery. Only the caller's context limits the wait for a free connection.
func tune(config *pgxpool.Config) {
	conn := config.ConnConfig
	conn.ConnectTimeout = bound
	conn.DialFunc = (&net.Dialer{KeepAlive: keepAlive}).DialContext
	conn.RuntimeParams["statement_timeout"] = "5s"
	conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite // after a failover: never a standby
	config.MaxConnLifetime = lifetime
	config.HealthCheckPeriod = keepAlive
	config.BeforeAcquire = func(ctx context.Context, conn *pgx.Conn) bool {
		ctx, cancel := context.WithTimeout(ctx, bound)
		defer cancel()
		return conn.Ping(ctx) == nil
	}
	config.BeforeConnect = func(_ context.Context, conn *pgx.ConnConfig) error {
		fresh, err := pgx.ParseConfig(conn.ConnString())
		if err == nil {
			conn.Password, conn.TLSConfig = fresh.Password, fresh.TLSConfig // files may have changed
		}
		return err
	}
}

func main() {
	hello("pgx", "golang-github-jackc-pgx-v4-dev", "transaction", "listen", "deadline", "multi_host", "tls")
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	config.MaxConns = workers
	config.LazyConnect = true // otherwise creating the pool fails while the database is down
	if isTuned() {
		tune(config)
	}
	connected, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		panic(err)
	}
	if serve(pool{connected}, func() { listen(config.ConnConfig) }) {
		connected.Close() // Close would wait for hung operations
	}
}
