<?php

require __DIR__ . '/storm.php';

$counts = [];

run(function (array $tuple, string $id) use (&$counts): void {
    $word = $tuple[0];
    $counts["word $word"] = ($counts["word $word"] ?? 0) + 1;
    emit([$word, $counts["word $word"]], $id);
});
