<?php
declare(strict_types=1);

/**
 * Writes each event once, one JSON object a line. Several processes share the
 * file: one at a time holds its lock, reads what others have added, looks the id
 * up and writes. A real server lets a unique key of its database do that.
 */
final class Audit
{
    /** @var array<string, int> by id */
    private array $times = [];
    /** How much of the file is in $times. */
    private int $read = 0;

    public function __construct(private string $name)
    {
    }

    /** Returns when the event is on the disk. */
    public function store(string $id, string $command, array $event): void
    {
        $this->locked(function ($file) use ($id, $command, $event): void {
            if (isset($this->times[$id])) {
                return;
            }
            $line = json_encode(['id' => $id, 'command' => $command, 'event' => $event], JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE) . "\n";
            if (fwrite($file, $line) !== strlen($line) || !fflush($file) || !fsync($file)) {
                throw new RuntimeException("cannot write {$this->name}"); // the next one cuts half a line off
            }
            $this->times[$id] = 1;
            $this->read += strlen($line);
        });
    }

    public function count(string $id): int
    {
        $this->locked(static function (): void {
        });
        return $this->times[$id] ?? 0;
    }

    private function locked(callable $do): void
    {
        $file = fopen($this->name, 'c+') ?: throw new RuntimeException("cannot open {$this->name}");
        try {
            flock($file, LOCK_EX);
            fseek($file, $this->read);
            while (($line = fgets($file)) !== false) {
                if (!str_ends_with($line, "\n")) {
                    break; // cut off by a crash, before it was answered
                }
                $id = json_decode($line, true, 512, JSON_THROW_ON_ERROR)['id'];
                $this->times[$id] = ($this->times[$id] ?? 0) + 1;
                $this->read += strlen($line);
            }
            ftruncate($file, $this->read);
            fseek($file, $this->read);
            $do($file);
        } finally {
            fclose($file); // and with it the lock
        }
    }
}
