<?php

require __DIR__ . '/storm.php';

run(function (array $tuple, string $id): void {
    foreach (preg_split('/\s+/', $tuple[0], -1, PREG_SPLIT_NO_EMPTY) as $word) {
        emit([$word], $id);
    }
});
