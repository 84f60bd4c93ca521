# Storm's multilang protocol for a bolt, as small as it gets. It is our own, for the tests.
package Storm;

use strict;
use warnings;

use JSON::PP;

binmode STDIN;
binmode STDOUT;
$| = 1;

my $json = JSON::PP->new->utf8;
my @tuples;

sub receive {
    my $text = '';
    while (my $line = <STDIN>) {
        return $json->decode($text) if $line eq "end\n";
        $text .= $line;
    }
    return;
}

sub send_message {
    my ($message) = @_;
    print $json->encode($message), "\nend\n";
}

# An answer of task ids overtakes tuples; those that it was read past wait.
sub emit {
    my ($tuple, $anchor) = @_;
    send_message({command => 'emit', tuple => $tuple, anchors => [$anchor]});
    while (defined(my $message = receive())) {
        return $message if ref $message eq 'ARRAY';
        push @tuples, $message;
    }
    exit 0;
}

sub run {
    my ($process) = @_;
    my $setup = receive();
    open my $file, '>', "$setup->{pidDir}/$$" or die "$setup->{pidDir}: $!";
    close $file;
    send_message({pid => $$});
    while (defined(my $message = shift @tuples // receive())) {
        if ($message->{task} == -1 && $message->{stream} eq '__heartbeat') {
            send_message({command => 'sync'});
        } else {
            $process->($message->{tuple}, $message->{id});
            send_message({command => 'ack', id => $message->{id}});
        }
    }
}

1;
