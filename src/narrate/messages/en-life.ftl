life_started = The command runs. The host sees it as process { $pid }.
life_exited =
    { $signal ->
        [none] Process { $pid } ended{ $code ->
                [none] .
               *[other] { " " }with exit status { $code }.
            }
       *[other] Process { $pid } was ended by { $signal }.
    }
life_signalled = { $signal } was passed on to the command.


# Parts of sentences: who, and which layer.
life_process =
    { $inside ->
        [none] { $program } (process { $pid })
       *[other] { $program } (process { $inside }, on the host { $pid })
    }
life_someone = a process
life_layer =
    { $made_by ->
        [none] { $digest }
       *[other] { $digest } ({ $made_by })
    }

life_held =
    { $who } is held before { $call } on { $path }. Layer { $layer } supplies it{ $what ->
        [file] , a file of { $bytes } bytes
        [directory] , a directory
       *[other] { "" }
    }. Nothing is changed yet.
life_copy_up =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { ": " }
               *[other] { " " }called { $call }:{ " " }
            }
    }{ $what ->
        [directory] directory { $path } was copied up, without what is in it.
        [file] { $path } was copied up. The layer's file has { $bytes } bytes, its copy in the writable layer { $stands ->
                [none] is there.
               *[other] has { $stands } by now.
            }
       *[other] { $path } was copied up.
    } Layer { $layer } supplied it and keeps its own{ $hidden ->
        [0] .
        [one] ; one layer below holds it, too.
       *[other] ; { $hidden } layers below hold it, too.
    }
life_whiteout =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { ": " }
               *[other] { " " }called { $call }:{ " " }
            }
    }{ $path } was removed. A whiteout stands for it in the writable layer; layer { $layer } still holds it{ $hidden ->
        [0] .
        [one] , and so does one layer below.
       *[other] , and so do { $hidden } layers below.
    }
life_opaque =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { ": " }
               *[other] { " " }called { $call }:{ " " }
            }
    }directory { $path } was made anew. It is opaque, so that what layer { $layer } holds there stays hidden.
life_redirect =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { ": " }
               *[other] { " " }called { $call }:{ " " }
            }
    }directory { $from } was renamed to { $path }. A redirect in the writable layer says where layer { $layer } has its contents.
life_created =
    { $who ->
        [none] { "" }
       *[other] { $who }{ $call ->
                [none] { ": " }
               *[other] { " " }called { $call }:{ " " }
            }
    }{ $what ->
        [directory] directory { $path }
        [symlink] symbolic link { $path }
       *[other] { $path }
    } was made in the writable layer{ $layer ->
        [none] ; no layer has it.
       *[other] . What layer { $layer } has there is hidden from now on.
    }
life_more =
    { $what ->
        [created] … and { $count } more made
        [copy_up] … and { $count } more copied up
        [whiteout] … and { $count } more removed
        [forked] … and { $count } more processes made
        [executed] … and { $count } more programs started
        [ended] … and { $count } more ended
       *[other] … and { $count } more ({ $what })
    } by { $program }.

life_forked = { $parent } made a new process: { $who }.
life_executed = { $who } now runs { $argv }.
life_ended =
    { $signal ->
        [none] { $who } ended{ $code ->
                [none] .
               *[other] { " " }with exit status { $code }.
            }
       *[other] { $who } was ended by { $signal }.
    }
life_adopted = { $who } is an orphan: its parent, { $former }, has ended. Its parent is now { $parent }.
life_zombie = { $who } has ended and is a zombie: it stays in the process table until { $parent } waits for it.
life_signal_ignored =
    { $signal } was sent to { $who }{ $sender ->
        [none] { "" }
       *[other] { " " }by { $sender }
    }, and the kernel dropped it: the first process of a pid namespace gets only signals for which it has a handler, and from outside also SIGKILL and SIGSTOP.
life_oom_killed =
    { $who ->
        [none] The kernel killed a process of the container for want of memory
       *[other] The kernel killed { $who } for want of memory
    }{ $limit ->
        [none] .
       *[other] : the cgroup's limit is { $limit } bytes.
    } { $source } counts { $kills ->
        [one] one kill.
       *[other] { $kills } kills.
    }
life_refused_filter = { $call } of { $who } was refused with { $errno }: the filter of system calls refuses it to every container.
life_refused_unless = { $call } of { $who } was refused with { $errno }: the filter of system calls lets it pass only with { $unless }, which this container does not have.
life_refused_arguments = { $call } of { $who } was refused with { $errno }: the filter of system calls lets it pass with other arguments only.
life_refused_capability = { $call } of { $who } was refused with { $errno }: it wants { $capability }, which the process does not have.
life_lost = Some events are lost: the kernel's queue ({ $queue }) was full. What the writable layer holds is still counted at the end.
life_summary =
    The writable layer as found on disk: made { $created }, files copied up { $copied } ({ $bytes } bytes), directories copied up { $directories }, whiteouts { $whiteouts }, opaque directories { $opaque }{ $redirects ->
        [0] .
       *[other] , redirects { $redirects }.
    } { $unseen ->
        [0] Each of them was seen as it happened{ $gone ->
                [0] .
                [one] ; one more was seen and is gone again.
               *[other] ; { $gone } more were seen and are gone again.
            }
       *[other] Not seen as it happened: { $unseen }, such as { $paths }.{ $gone ->
                [0] { "" }
               *[other] { " " }Seen and gone again: { $gone }.
            }
    }
life_summary_empty =
    The writable layer is empty{ $gone ->
        [0] .
        [one] ; one thing was seen in it and is gone again.
       *[other] ; { $gone } things were seen in it and are gone again.
    }
