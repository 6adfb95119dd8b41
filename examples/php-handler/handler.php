<?php
// What the business server does, apart from how requests reach it: server.php
// and index.php do that.
declare(strict_types=1);

require __DIR__ . '/audit.php';

const LARGEST_BODY = 4 << 20;
const TOLERANCE = 5 * 60; // seconds
const APPROVED = ['actionCode' => 0, 'errCode' => 0, 'errMsg' => '', 'errDlt' => '', 'nextCode' => 0];
const REFUSED = [
    'actionCode' => 0, // 0: the handler did its work; nextCode refuses
    'errCode' => 5001,
    'errMsg' => 'the message was refused',
    'errDlt' => 'it holds a forbidden word',
    'nextCode' => 1,
];

/** A word filter that refuses messages, and an auditor that stores every event once. */
final class Handler
{
    /** @var list<string> two while one is being replaced; the key is the decoded form of a secret */
    private array $keys = [];
    /** @var list<string> */
    private array $forbidden;
    /** @var array<string, callable(array): array> the questions this server has an opinion about */
    private array $questions;

    public function __construct(private Audit $audit, string $secrets, string $words, private bool $conform)
    {
        foreach (preg_split('/\s+/', $secrets, -1, PREG_SPLIT_NO_EMPTY) as $secret) {
            $this->keys[] = base64_decode(preg_replace('/^whsec_/', '', $secret), true) ?: throw new RuntimeException('a secret is not base64');
        }
        $this->forbidden = array_values(array_filter(explode(',', strtolower($words)), 'strlen'));
        $this->questions = [
            'callbackBeforeSendSingleMsgCommand' => $this->judge(...),
            'callbackBeforeSendGroupMsgCommand' => $this->judge(...),
        ];
    }

    /**
     * Answers one request.
     *
     * @param array<string, string> $headers by lower-case name
     * @return array{int, string, string} status, type and body
     */
    public function handle(string $method, string $target, array $headers, string $raw): array
    {
        $url = parse_url($target);
        if ($this->conform && $method === 'GET' && ($url['path'] ?? '') === '/webhook/conform') {
            parse_str($url['query'] ?? '', $query);
            return self::json(['count' => $this->audit->count((string) ($query['id'] ?? ''))]);
        }
        if ($method !== 'POST') {
            return [405, 'text/plain', 'callbacks are sent with POST'];
        }
        if ($this->keys !== [] && !$this->verify($headers, $raw)) {
            return [401, 'text/plain', 'the signature is not right'];
        }
        // Large whole numbers stay exact: PHP's integers have 64 bits.
        $body = json_decode($raw, true);
        // The body names the callback too, and the body is signed.
        $command = is_array($body) ? $body['callbackCommand'] ?? null : null;
        if (!is_string($command)) {
            return [400, 'text/plain', 'the body is not a callback'];
        }
        if ($this->conform && isset($headers['conform-api'])) {
            @file_get_contents($headers['conform-api'], false, stream_context_create(['http' => ['method' => 'POST', 'timeout' => 10]]));
        }
        try {
            return self::json($this->answer($command, $body, $raw, $headers['webhook-id'] ?? ''));
        } catch (Throwable $e) {
            // Not 200: the IM server sends a report again later, and decides about a question by failedContinue.
            error_log("$command: $e");
            return [500, 'text/plain', 'internal error'];
        }
    }

    private function answer(string $command, array $body, string $raw, string $id): array
    {
        if (isset($this->questions[$command])) {
            return ($this->questions[$command])($body);
        }
        // One report has a misleading name: it tells of a revoked message.
        if (str_starts_with($command, 'callbackAfter') || $command === 'callbackBeforeAfterMsgCommand') {
            $this->audit->store($id !== '' ? $id : "$command:$raw", $command, $body); // OpenIM tells no id
        }
        return APPROVED; // also what this version does not know
    }

    private function judge(array $message): array
    {
        $text = strtolower(self::textOf((string) ($message['content'] ?? '')));
        foreach ($this->forbidden as $word) {
            if (str_contains($text, $word)) {
                return REFUSED;
            }
        }
        return APPROVED;
    }

    /** What a user reads: content of text messages (101), text of those with mentions (106). */
    private static function textOf(string $content): string
    {
        $said = json_decode($content, true);
        foreach (['content', 'text'] as $key) {
            if (is_array($said) && is_string($said[$key] ?? null)) {
                return $said[$key];
            }
        }
        return $content;
    }

    /** Verifies the bytes as they came, whole and in constant time. */
    private function verify(array $headers, string $raw): bool
    {
        $id = $headers['webhook-id'] ?? '';
        $timestamp = $headers['webhook-timestamp'] ?? '';
        if ($id === '' || !preg_match('/^[0-9]{1,15}$/D', $timestamp) || abs(time() - (int) $timestamp) > TOLERANCE) {
            return false;
        }
        $right = false;
        foreach ($this->keys as $key) {
            $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$raw", $key, true));
            foreach (explode(' ', $headers['webhook-signature'] ?? '') as $got) {
                $right = hash_equals($want, $got) || $right;
            }
        }
        return $right;
    }

    private static function json(array $answer): array
    {
        return [200, 'application/json', json_encode($answer, JSON_THROW_ON_ERROR)];
    }
}
