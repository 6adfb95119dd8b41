<?php
// handler.php behind php-fpm and nginx, or behind PHP's own server:
//
//   PHP_CLI_SERVER_WORKERS=8 php -S 127.0.0.1:10006 index.php
//
// Without PHP_CLI_SERVER_WORKERS that one has a single worker, which waits for
// itself as soon as a callback calls the IM server's API; and it closes the
// connection after every call. `parley webhook conform` shows both.
declare(strict_types=1);

require __DIR__ . '/handler.php';

$handler = new Handler(
    new Audit(getenv('AUDIT') ?: 'audit.jsonl'),
    getenv('WEBHOOK_SECRET') ?: '',
    getenv('REFUSE') ?: '',
    getenv('CONFORM') === '1',
);
[$status, $type, $body] = $handler->handle(
    $_SERVER['REQUEST_METHOD'],
    $_SERVER['REQUEST_URI'],
    array_change_key_case(getallheaders(), CASE_LOWER),
    (string) file_get_contents('php://input'), // as it came, not $_POST
);
http_response_code($status);
header("Content-Type: $type");
header('Content-Length: ' . strlen($body));
echo $body;
