<?php

// The adapter protocol for PHP: JSON lines on stdin and stdout, four processes, independent of any library.

declare(strict_types=1);

const WORKERS = 4;
const LONGEST_LINE = 4096; // bytes: what one write to a pipe never mixes with another process's
const MESSAGE_BYTES = 900; // of an error, so that its line stays below that
const LAST_WORDS = 1.5; // seconds for workers to close; a hung one is abandoned

interface Client
{
    /** Performs one request: the fields of its answer besides "ok". */
    public function perform(array $request): array;

    /** The error of an answer; null if the exception is a bug. */
    public function describe(Throwable $error): ?array;

    public function close(): void;

    /** Runs until the process ends, in a process of its own. */
    public function listen(): void;
}

function say(array $line): void
{
    fwrite(STDOUT, json_encode($line, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}

function serve(array $hello, Client $client): never
{
    say(['hello' => $hello + ['concurrency' => WORKERS]]);
    // Each read takes one whole request, by any free worker; every worker reads the end of stdin.
    socket_create_pair(AF_UNIX, SOCK_SEQPACKET, 0, $pair);
    [$requests, $desk] = $pair;
    $children = [];
    pcntl_async_signals(true);
    pcntl_signal(SIGCHLD, function () use (&$children): void {
        while (($id = pcntl_wait($status, WNOHANG)) > 0) {
            unset($children[$id]);
            if ($status !== 0) {
                fwrite(STDERR, "process $id ended: $status\n");
                exit(1);
            }
        }
    });
    $start = function (Closure $body) use (&$children, $desk): void {
        $id = pcntl_fork();
        if ($id === 0) {
            pcntl_signal(SIGCHLD, SIG_DFL);
            socket_close($desk);
            $body();
            exit(0);
        }
        $children[$id] = true;
    };
    for ($i = 0; $i < WORKERS; $i++) {
        $start(fn () => work($requests, $client));
    }
    while (($line = fgets(STDIN)) !== false) {
        if (json_decode($line)->op === 'listen') {
            $start(fn () => $client->listen());
        } else {
            socket_write($desk, $line);
        }
    }
    socket_close($desk);
    $until = microtime(true) + LAST_WORDS;
    while ($children && microtime(true) < $until) {
        usleep(20_000);
    }
    pcntl_signal(SIGCHLD, SIG_IGN);
    array_map(fn (int $id) => posix_kill($id, SIGTERM), array_keys($children));
    exit(0);
}

function work(Socket $requests, Client $client): void
{
    while ($line = socket_read($requests, LONGEST_LINE)) {
        $request = json_decode($line, true, flags: JSON_THROW_ON_ERROR);
        try {
            $answer = ['ok' => true] + $client->perform($request);
        } catch (Exception $exception) {
            $error = $client->describe($exception) ?? throw $exception;
            $error['message'] = substr($error['message'], 0, MESSAGE_BYTES);
            $answer = ['error' => $error];
        }
        say(['id' => $request['id']] + $answer);
    }
    $client->close();
}
