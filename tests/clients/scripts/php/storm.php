<?php

// Storm's multilang protocol for a bolt, as small as it gets. It is our own, for the tests.

function receive(): ?array
{
    $text = '';
    while (($line = fgets(STDIN)) !== false) {
        if (rtrim($line, "\n") === 'end') {
            return json_decode($text, true, 512, JSON_THROW_ON_ERROR);
        }
        $text .= $line;
    }
    return null;
}

function send(array $message): void
{
    fwrite(STDOUT, json_encode($message, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR) . "\nend\n");
    fflush(STDOUT);
}

// An answer of task ids overtakes tuples; those that it was read past wait here.
$tuples = [];

function emit(array $tuple, string $anchor): array
{
    global $tuples;
    send(['command' => 'emit', 'tuple' => $tuple, 'anchors' => [$anchor]]);
    while (!array_is_list($message = receive())) {
        $tuples[] = $message;
    }
    return $message;
}

function run(callable $process): void
{
    global $tuples;
    $setup = receive();
    touch($setup['pidDir'] . '/' . getmypid());
    send(['pid' => getmypid()]);
    while (($message = array_shift($tuples) ?? receive()) !== null) {
        if ($message['task'] === -1 && $message['stream'] === '__heartbeat') {
            send(['command' => 'sync']);
        } else {
            $process($message['tuple'], $message['id']);
            send(['command' => 'ack', 'id' => $message['id']]);
        }
    }
}
