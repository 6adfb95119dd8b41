<?php
// A small HTTP server for handler.php that runs with php-cli alone. Each
// connection has a process of its own, which serves one call after another: so a
// handler may call the IM server's API from inside a callback, and connections
// are used again. In production let php-fpm behind nginx do this (index.php).
declare(strict_types=1);

require __DIR__ . '/handler.php';

$options = getopt('', ['port:', 'audit:', 'refuse:', 'conform']);
$handler = new Handler(
    new Audit($options['audit'] ?? 'audit.jsonl'),
    getenv('WEBHOOK_SECRET') ?: '',
    $options['refuse'] ?? '',
    isset($options['conform']), // offer what `parley webhook conform` needs to look inside; never in production
);

// Loopback: put your own proxy in front. tcp_nodelay: otherwise answers may take 40 ms.
$context = stream_context_create(['socket' => ['tcp_nodelay' => true, 'backlog' => 128]]);
$listener = stream_socket_server('tcp://127.0.0.1:' . ($options['port'] ?? 10006), $code, $text, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $context);
if (!$listener) {
    fwrite(STDERR, "$text\n");
    exit(1);
}
echo 'listening on http://', stream_socket_get_name($listener, false), "/webhook\n";

const MOST_CONNECTIONS = 256;
$children = [];
$stopping = false;
pcntl_async_signals(true);
foreach ([SIGTERM, SIGINT] as $signal) {
    pcntl_signal($signal, static function () use (&$stopping): void {
        $stopping = true;
    }, false); // false: it interrupts the wait below
}
while (!$stopping) {
    while (($pid = pcntl_wait($status, WNOHANG)) > 0) {
        unset($children[$pid]);
    }
    if (count($children) >= MOST_CONNECTIONS) {
        usleep(10_000);
        continue;
    }
    $ready = [$listener];
    $none = null;
    if (!@stream_select($ready, $none, $none, 1) || !($connection = @stream_socket_accept($listener, 0))) {
        continue;
    }
    $pid = pcntl_fork();
    if ($pid === 0) {
        fclose($listener);
        foreach ([SIGTERM, SIGINT] as $signal) {
            pcntl_signal($signal, SIG_DFL);
        }
        serve($connection, $handler);
        exit(0);
    }
    fclose($connection);
    if ($pid > 0) {
        $children[$pid] = true;
    }
}
foreach (array_keys($children) as $pid) {
    posix_kill($pid, SIGTERM);
    pcntl_waitpid($pid, $status);
}

/** Serves the calls of one connection. @param resource $connection */
function serve($connection, Handler $handler): void
{
    stream_set_timeout($connection, 75); // the IM server closes idle connections after 60 s, before this end does
    while (($request = readRequest($connection)) !== null) {
        [$method, $target, $headers, $raw, $status] = $request;
        [$status, $type, $body] = $status !== 0 ? [$status, 'text/plain', 'not a request'] : $handler->handle($method, $target, $headers, $raw);
        $close = $status === 411 || $status === 413 || strtolower($headers['connection'] ?? '') === 'close';
        fwrite($connection, "HTTP/1.1 $status -\r\nContent-Type: $type\r\nContent-Length: " . strlen($body) . "\r\n" . ($close ? "Connection: close\r\n" : '') . "\r\n" . $body);
        if ($close) {
            return;
        }
    }
}

/**
 * Reads one request, or null when there is no more.
 *
 * @param resource $connection
 * @return array{string, string, array<string, string>, string, int}|null the last is a status if it cannot be handled
 */
function readRequest($connection): ?array
{
    $line = fgets($connection, 16384);
    if ($line === false || !preg_match('#^([A-Z]+) (\S+) HTTP/1\.1\r\n$#', $line, $parts)) {
        return null;
    }
    $headers = [];
    while (($line = fgets($connection, 16384)) !== false && $line !== "\r\n" && count($headers) < 100) {
        [$name, $value] = explode(':', $line, 2) + [1 => ''];
        $headers[strtolower($name)] = trim($value);
    }
    if ($line !== "\r\n") {
        return null;
    }
    $length = $headers['content-length'] ?? ($parts[1] === 'GET' ? '0' : '');
    $fault = ctype_digit($length) ? ((int) $length > LARGEST_BODY ? 413 : 0) : 411;
    $raw = $fault === 0 && (int) $length > 0 ? stream_get_contents($connection, (int) $length) : ''; // waits for all of it
    if ($fault === 0 && strlen((string) $raw) < (int) $length) {
        return null; // the caller hung up
    }
    return [$parts[1], $parts[2], $headers, (string) $raw, $fault];
}
