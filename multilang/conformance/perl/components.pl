#!/usr/bin/perl
# An SDK in one page: the reference components, in Perl, without any library but the JSON that comes with it.
#
#   galewire conformance --level batch -- perl multilang/conformance/perl/components.pl
use strict;
use warnings;
use JSON::PP;

my $json = JSON::PP->new->ascii->allow_nonref;
my (@in, @out, $batch, $conf, $context, %state);

# --- The protocol: frames in, frames out, nothing said that is not flushed before the next wait.
sub read_frame {
    my $text = '';
    while (defined(my $line = <STDIN>)) {
        return $json->decode($text) if $line eq "end\n";
        $text .= $line;
    }
    exit 0;    # The engine has closed our input.
}

sub flush {
    my @frames = $batch && @out > 1 ? [@out] : @out;
    syswrite_all($json->encode($_) . "\nend\n") for @frames;
    @out = ();
}

sub syswrite_all {
    my ($text) = @_;
    my $at = 0;
    while ($at < length $text) { $at += syswrite(STDOUT, $text, length($text) - $at, $at) // die "the engine is gone: $!" }
}

sub next_message {
    until (@in) { flush(); take_frame(read_frame()) }
    return shift @in;
}

# A list is a batch frame, or in Storm's framing the answer to an emit.
sub take_frame {
    my ($frame) = @_;
    return push @in, $frame if ref $frame eq 'HASH';
    return push @in, { command => 'task_ids', ids => $frame } unless $batch;
    push @in, @$frame;
}

sub task_ids {
    my @aside;
    while (1) {
        my ($at) = grep { ($in[$_]{command} // '') eq 'task_ids' } 0 .. $#in;
        return splice(@in, $at, 1)->{ids} if defined $at;
        flush();
        take_frame(read_frame());
    }
}

sub say_it { push @out, {@_} }

sub emit {
    my ($values, %more) = @_;
    say_it(command => 'emit', tuple => $values, need_task_ids => JSON::PP::false, %more);
}

sub ack  { say_it(command => 'ack',  id => $_->{id}) for @_ }
sub fail { my ($tuple, $why) = @_; say_it(command => 'fail', id => $tuple->{id}, $why ne '' ? (msg => $why) : ()) }

# --- The components. A bolt gets a tuple; `verb` and `value` are the fields of most of them.
my %act = (
    nothing    => sub { },
    emit       => sub { my ($t, $v) = @_; emit([$v], anchors => [$t->{id}]) },
    other      => sub { my ($t, $v) = @_; emit([$v], anchors => [$t->{id}], stream => 'other') },
    direct     => sub { my ($t, $v) = @_; emit([$v], anchors => [$t->{id}], stream => 'direct', task => $v) },
    unanchored => sub { emit([$_[1]]) },
    ask        => sub {
        my ($t, $v) = @_;
        emit([$v], anchors => [$t->{id}], need_task_ids => JSON::PP::true);
        emit([task_ids()], anchors => [$t->{id}], stream => 'other');
    },
    fail   => sub { fail(@_); 'failed' },
    log    => sub { say_it(command => 'log', msg => $_[1], level => $_) for 0 .. 4; },
    error  => sub { say_it(command => 'error', msg => $_[1]) },
    config => sub { my ($t, $v) = @_; emit([$conf->{$v}], anchors => [$t->{id}]) },
    where  => sub {
        my ($t) = @_;
        emit([[@$context{qw(componentid taskid)}, @$t{qw(comp stream task)}]], anchors => [$t->{id}]);
    },
);

my %bolts = (
    split => sub { my ($t) = @_; emit([$_], anchors => [$t->{id}]) for split ' ', $t->{tuple}[0]; ack($t) },
    echo  => sub { my ($t) = @_; emit($t->{tuple}, anchors => [$t->{id}]); ack($t) },
    act   => sub { my ($t) = @_; my ($verb, $value) = @{ $t->{tuple} }; ack($t) unless ($act{$verb}->($t, $value) // '') eq 'failed' },
    life  => sub { my ($t) = @_; emit($t->{tuple}, anchors => [$t->{id}]); ack($t) },
    hold  => sub {
        my ($t) = @_;
        my ($verb, $value) = @{ $t->{tuple} };
        my $held = $state{held} //= [];
        return push @$held, $t if $verb eq 'hold';
        if   ($verb eq 'release') { emit([$value], anchors => [map { $_->{id} } @$held, $t]); ack(reverse @$held) }
        else                      { fail($_, $value) for @$held }
        @$held = ();
        ack($t);
    },
);
my %ticks  = (life => sub { emit(['tick']) });
my %drains = (hold => sub { ack(splice @{ $state{held} //= [] }) });
my %ends   = (life => sub { emit(['end']) });

# A spout gets `next`, and gives out what it has.
my %spouts = (
    messages => sub {
        my $left = $state{left} //= do { my $at = 0; [map { [$at++, $_] } @{ $conf->{ids} }] };
        my $message = shift @$left or return $state{exhausted} = 1;
        my ($at, $id) = @$message;
        $state{open}{ $json->encode($id) } = $message;
        emit([$at], id => $id, stream => $conf->{stream} // 'default');
    },
    stutter => sub { emit([$state{calls}]) if ++$state{calls} % 3 == 2 },
);

sub settled {
    my ($word, $id) = @_;
    my $message = delete $state{open}{ $json->encode($id) };
    push @{ $state{left} }, $message if $word eq 'fail' && $message;
    say_it(command => 'log', msg => ($word eq 'ack' ? 'acked ' : 'failed ') . $json->encode($id));
}

# --- The life of a child: handshake, then message after message.
my $hello = read_frame();
($conf, $context) = @$hello{qw(conf context)};
my $name   = $context->{componentid};
my $answer = { pid => $$ };
$batch = $answer->{batch} = 1 if $conf->{'galewire.batch'};
say_it(%$answer);
flush();

sub bolt_message {
    my ($message) = @_;
    my ($stream, $command) = map { $_ // '' } @$message{qw(stream command)};
    if    ($stream eq '__heartbeat') { say_it(command => 'sync') }
    elsif ($stream eq '__tick')      { ($ticks{$name} // sub { })->() }
    elsif ($command eq 'drain')      { ($drains{$name} // sub { })->(); say_it(command => 'drained', id => $message->{id}) }
    elsif ($command eq 'end')        { ($ends{$name} // sub { })->(); say_it(command => 'ended', id => $message->{id}) }
    elsif ($message->{tuples}) {
        my $id = $message->{first};
        $bolts{$name}->({ %$message, id => '' . $id++, tuple => $_ }) for @{ $message->{tuples} };
    }
    elsif ($message->{tuple}) { $bolts{$name}->($message) }
}

sub spout_message {
    my ($message) = @_;
    my $command = $message->{command};
    if ($command eq 'next') {
        for (1 .. $message->{max} // 1) { my $before = @out; $spouts{$name}->(); last if @out == $before }
        say_it(command => 'exhausted') if $batch && $state{exhausted} && !$state{told}++;
    }
    elsif ($command =~ /^(?:ack|fail)$/)         { settled($command, $_) for @{ $message->{ids} // [$message->{id}] } }
    elsif ($command =~ /^(?:activate|deactivate)$/) { say_it(command => 'log', msg => "${command}d") }
    say_it(command => 'sync') if $command eq 'next' || !$batch;
}

my $take = $spouts{$name} ? \&spout_message : \&bolt_message;
$take->(next_message()) while 1;
