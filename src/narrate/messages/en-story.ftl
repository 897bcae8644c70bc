# What is around the steps: chapters, life, failure, and the renderers' own words.

phase_image =
    .title = The image
    .text = An image is a list of layers and a config, each named by the hash of its content. Here the name is resolved, and every layer is checked and unpacked.
phase_rootfs =
    .title = bootfs and rootfs
    .text = An image holds no kernel. bootfs, the boot loader and the kernel, was mounted, used and let go of when the host booted; the rootfs is what the image brings: layers of files, read-only.
phase_union =
    .title = The union of layers
    .text = overlayfs shows all layers as one tree and puts one empty, writable layer on top. That layer is all that this container owns.
phase_cgroup =
    .title = Control groups
    .text = How much may it use? A control group counts and limits memory, CPU time and tasks of all processes in it.
phase_namespaces =
    .title = Namespaces
    .text = What can it see? Processes in namespaces of their own have their own list of mounts, processes, links and names, and cannot name what is outside.
phase_network =
    .title = The network
    .text = A new network namespace is an island. A virtual cable leads to a bridge on the host; from there routes and address translation lead to the world.
phase_mounts =
    .title = Mounts
    .text = Programs expect /proc, /sys and /dev. They are not in the image: the kernel makes them, and each has to be mounted for this container.
phase_pivot =
    .title = The new root
    .text = Until here init still sees the host's files. pivot_root makes the union its root and lets go of the host's.
phase_security =
    .title = Giving up power
    .text = The process is still root. Before it runs a program of others, it gives up what that program does not need, and in such a way that it cannot be regained.
phase_exec =
    .title = The command
    .text = Everything is in place. execve replaces the program of the process by the command; the process stays the same.
phase_life =
    .title = The container lives
    .text = From here on nobody works for the container: it is a process that talks to the kernel, like any other. glassbox only waits.
phase_exit =
    .title = What stays
    .text = Mounts, namespaces and links go with the last process. What stays is the writable layer, unless it was asked to be removed.

undo =
    .title = Take back: { $inner }

undoing_nothing = { $inner }: nothing has to be taken back.
undone_nothing = { $inner }: nothing had to be taken back.
found_nothing = This was so already; nothing was changed.

slot_init_pid = (init's pid, known when it exists)
slot_address = (the address that will be reserved)
slot_exit_status = (the exit status, known at the end)
slot_process_pid = (the process's pid, known when it exists)
slot_process_born = (the moment of its birth, known when it exists)

ns_user = user and group ids
ns_mnt = mounts
ns_pid = process numbers
ns_uts = host name
ns_ipc = shared memory and message queues
ns_net = network
ns_cgroup = cgroup paths
ns_time = boot-time clocks

subject_mounts = mounts
subject_namespaces = namespaces
subject_cgroup = cgroup
subject_network = network
subject_layers = layers
subject_processes = processes

story_linux = On this host's kernel, Linux { $release }.
story_model = This is the modelled kernel: everything happens in memory, and nothing on this host changes.
story_end = The command's exit status is { $status }.
story_end_unstarted = The command was not started. The exit status of glassbox is { $status }.
story_end_action = The exit status of glassbox is { $status }.
story_planned =
    { $count ->
        [one] What was read tells what is left to do: one step.
       *[other] What was read tells what is left to do: { $count } steps.
    }
story_unpacked =
    { $entries ->
        [one] One entry, { $bytes } bytes of files
       *[other] { $entries } entries, { $bytes } bytes of files
    }; { $whiteouts ->
        [0] no whiteout
        [one] one whiteout, now one of overlayfs
       *[other] { $whiteouts } whiteouts, now those of overlayfs
    }{ $opaque ->
        [0] .
        [one] , and one directory that hides what is below it.
       *[other] , and { $opaque } directories that hide what is below them.
    }
story_more_arguments =
    { $count ->
        [one] … and one more
       *[other] … and { $count } more
    }
story_group = { $count } of { $total }: { $names }
story_group_found = nothing had to be done for { $count } of { $total }: { $names }
list_separator = { ", " }
story_counted_calls = and, counted as they were made: { $calls }
story_more_calls =
    { $count ->
        [one] … and one more call
       *[other] … and { $count } more calls
    }
story_more_facts =
    { $count ->
        [one] … and one more fact
       *[other] … and { $count } more facts
    }
story_rollback = What was built is now taken back, last step first.
story_failed_step = { $step } failed to { $what }
story_quiet =
    { $count ->
        [one] For one step there was nothing to take back.
       *[other] For { $count } steps there was nothing to take back.
    }
story_not_undone = { $step } could not be taken back: failed to { $what }
story_chapter = { $number }/{ $total }

label_isolated = apart
label_why = why
label_about = next
label_done = done
label_call = call
label_seen = seen
label_before = before
label_after = after
label_hand = by hand
label_man = man
label_lesson = lesson
label_failed = failed
label_hint = hint
label_undoing = undo
label_earlier = earlier
label_held = held
label_life = life

diff_same = unchanged
time_micros = { $n } µs
time_millis = { $n } ms
time_seconds = { $n } s

actor_runtime = glassbox
actor_init = init
actor_process = process

prompt_about = About to happen, step { $number } of { $total }:
prompt_next = next
prompt_continue = continue
prompt_break = break at ID
prompt_delete = delete a break
prompt_held = A process is held before its call. n lets it go on.
held_why =
    The process made a system call, and { $kernel ->
        [model] the modelled kernel
       *[linux] the filter
    } asks glassbox first. Whatever the layers hold now is what they held before the call. If the call changes something, the writable layer has a copy or a whiteout afterwards, and the layer below is the same.
prompt_inspect = inspect
prompt_why = why
prompt_shell = shell
prompt_quit = undo and quit
prompt_unknown = { $input } is no command here.
prompt_empty = Nothing there yet.

table_number = no
table_step = step
table_actor = who
table_what = what
table_source = read from
table_key = of
table_value = value
plan_summary =
    { $count ->
        [one] One step. Nothing has been done.
       *[other] { $count } steps. Nothing has been done.
    }
