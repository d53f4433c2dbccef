<?php

// PDO with its PostgreSQL driver: four processes with a connection each, and one more that listens.
// https://www.php.net/manual/en/ref.pdo-pgsql.connection.php and pdo.constants.php
// There is no "deadline": PDO::ATTR_TIMEOUT is for connecting only, and PDO cannot end a statement.

declare(strict_types=1);

require __DIR__ . '/adapter.php';

const INSERT = 'INSERT INTO pgsquall_ledger (id) VALUES (?)';
const SELECT = 'SELECT 1 FROM pgsquall_ledger WHERE id = ?';
const LISTEN_PAUSE = 1; // seconds, before it listens again; the manual names none
const LISTEN_TURN = 1000; // ms that one call waits for a notification

const TUNED = [
    'keepalives_idle=2', // seconds of silence before the first probe
    'keepalives_interval=1', // seconds
    'keepalives_count=3', // probes
    'tcp_user_timeout=5000', // ms that sent bytes may stay unacknowledged
    'target_session_attrs=read-write', // after a failover: never a standby
    "options='-c statement_timeout=5s'", // the server's timer
];
const TUNED_ATTRIBUTES = [PDO::ATTR_TIMEOUT => 5]; // seconds to connect, for each host; PDO's default is 30

final class PdoClient implements Client
{
    private ?PDO $pdo = null;

    public function __construct(private readonly bool $tuned)
    {
    }

    public function perform(array $request): array
    {
        if ($this->pdo === null || self::isBad($this->pdo)) {
            $this->pdo = null; // closes it
            $this->pdo = $this->connect();
        }
        if ($request['op'] === 'transaction') {
            $this->transaction($request['key']);
            return [];
        }
        $statement = $this->pdo->prepare($request['op'] === 'read' ? SELECT : INSERT);
        $statement->execute([$request['key']]);
        return $request['op'] === 'read' ? ['found' => $statement->fetch() !== false] : [];
    }

    private function transaction(int $key): void
    {
        $this->pdo->beginTransaction();
        try {
            $this->pdo->query('SELECT 1')->fetchAll();
            $this->pdo->prepare(INSERT)->execute([$key]);
            $this->pdo->commit();
        } catch (PDOException $error) {
            try {
                $this->pdo->rollBack();
            } finally {
                throw $error; // even if the rollback failed
            }
        }
    }

    /** libpq reads the database's address from its own variables. */
    private function connect(): PDO
    {
        return $this->tuned
            ? new PDO('pgsql:' . implode(';', TUNED), options: TUNED_ATTRIBUTES)
            : new PDO('pgsql:');
    }

    /** PDO has only these texts for it, which stand for libpq's PQstatus. */
    private static function isBad(PDO $pdo): bool
    {
        return $pdo->getAttribute(PDO::ATTR_CONNECTION_STATUS) === 'Bad connection.';
    }

    public function describe(Throwable $error): ?array
    {
        if (!$error instanceof PDOException) {
            return null;
        }
        $message = $error->getMessage();
        $sqlstate = $error->errorInfo[0] ?? 'HY000';
        if ($sqlstate !== 'HY000') { // PDO's word for "none"
            return ['message' => $message, 'sqlstate' => $sqlstate];
        }
        $kinds = ['reset by peer' => 'reset', 'closed' => 'closed', 'timed out' => 'timeout'];
        foreach ($kinds as $words => $kind) {
            if (str_contains($message, $words)) {
                return ['message' => $message, 'kind' => $kind];
            }
        }
        return ['message' => $message];
    }

    public function close(): void
    {
        $this->pdo = null;
    }

    public function listen(): void
    {
        $before = false;
        while (true) {
            try {
                $pdo = $this->connect();
                $pdo->exec('LISTEN pgsquall_news');
                say($before ? ['gap' => true] : ['id' => 0, 'ok' => true]);
                $before = true;
                while (!self::isBad($pdo)) {
                    $notification = $pdo->pgsqlGetNotify(PDO::FETCH_ASSOC, LISTEN_TURN);
                    if ($notification) {
                        say(['notification' => ['payload' => $notification['payload']]]);
                    }
                }
                fwrite(STDERR, "not listening: bad connection\n");
            } catch (PDOException $error) {
                fwrite(STDERR, "not listening: {$error->getMessage()}\n");
            }
            $pdo = null;
            sleep(LISTEN_PAUSE);
        }
    }
}

serve(
    [
        'name' => 'pdo-pgsql',
        'version' => phpversion('pdo_pgsql'),
        'capabilities' => ['transaction', 'listen', 'multi_host', 'tls'],
    ],
    new PdoClient(end($argv) === 'tuned'),
);
