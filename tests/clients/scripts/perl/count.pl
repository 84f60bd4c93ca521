use strict;
use warnings;

use lib '.';
use Storm;

my %counts;

Storm::run(sub {
    my ($tuple, $id) = @_;
    my $word = $tuple->[0];
    Storm::emit([$word, ++$counts{$word}], $id);
});
