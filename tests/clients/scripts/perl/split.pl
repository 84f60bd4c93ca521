use strict;
use warnings;

use lib '.';
use Storm;

Storm::run(sub {
    my ($tuple, $id) = @_;
    Storm::emit([$_], $id) for split ' ', $tuple->[0];
});
