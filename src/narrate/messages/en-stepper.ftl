# The full-screen stepper: its panes, keys and messages.

stepper_pane_plan = plan
stepper_pane_story = story
stepper_pane_calls = system calls
stepper_pane_evidence = evidence
stepper_pane_layers = layers
stepper_pane_namespaces = namespaces
stepper_pane_network = network
stepper_pane_cgroup = cgroup
stepper_pane_processes = processes

stepper_topic_steps = steps
stepper_topic_layers = layers
stepper_topic_namespaces = namespaces
stepper_topic_mounts = mounts
stepper_topic_network = network
stepper_topic_cgroup = cgroup
stepper_topic_processes = processes

stepper_place_live = WAITS
stepper_place_failed = FAILED
stepper_place_held = HELD
stepper_place_life = HAPPENED
stepper_place_after = DONE, SHOWN AGAIN
stepper_place_past = PAST
stepper_place_over = OVER
stepper_place_recording = RECORDING
stepper_where = step { $number }/{ $total } { $step }
stepper_event = event { $event }/{ $events }
stepper_model = modelled kernel
stepper_too_small = The screen is too small.

stepper_no_step = There is no step yet.
stepper_undo_calls = taken back by:
stepper_undo_evidence = after it was taken back:
stepper_calls_ahead = Nothing has been called yet.
stepper_calls_none = It made no system call.
stepper_evidence_ahead = Nothing has been read yet.
stepper_evidence_none = Nothing was read.

stepper_union_root = the union: the container's /
stepper_union_attached = the union, in init's mounts
stepper_union_detached = the union, not attached yet
stepper_writable =
    writable: { $entries ->
        [0] empty
        [one] one entry
       *[other] { $entries } entries
    }{ $copied ->
        [0] { "" }
       *[other] , { $copied } copied up{ $bytes }
    }
stepper_writable_removed = writable: removed
stepper_more = … and { $count } before
stepper_added = new
stepper_copied = copied up
stepper_whiteout = hidden
stepper_opaque = hides what is below
stepper_redirect = renamed
stepper_layer = layer { $index }
stepper_entries =
    { $count ->
        [one] one entry
       *[other] { $count } entries
    }
stepper_held_here = before { $call }
stepper_writable_shared = writable: what this command has done there
stepper_layers_none = No layer yet.

stepper_namespaces_none = There is no process of the container yet, and so no namespace of its own.
stepper_namespaces_ended = They ended with the last process.
stepper_ns_own = own
stepper_ns_gone = ended
stepper_ns_shared = the host's
stepper_ns_host = { " " }(host { $inode })
stepper_hostname = host name inside: { $name }

stepper_network_none = No network yet.
stepper_net_own = a network namespace of its own
stepper_net_shared = the host's network
stepper_net_ended = the namespace has ended, and with it the pair of links
stepper_net_inside = inside
stepper_net_lease = reserved
stepper_net_link = link
stepper_net_veth = pair
stepper_net_bridge = bridge
stepper_net_route = route
stepper_net_port = port
stepper_net_rule = rule

stepper_cgroup_none = No control group.
stepper_cgroup_of_container = Those of the container, which its run has made.
stepper_cgroup_joined = init is in it
stepper_cgroup_empty = no process is in it
stepper_cgroup_devices = only listed devices may be used
stepper_cgroup_usage = used, as last read:
stepper_cgroup_now = used now:

stepper_processes_none = No process yet.
stepper_outside = outside
stepper_inside = inside
stepper_preparing = prepares
stepper_running = runs
stepper_zombie = zombie
stepper_exited = exited with { $code }
stepper_killed = killed by { $signal }
stepper_ended = ended
stepper_processes_ended =
    { $count ->
        [one] One more has ended.
       *[other] { $count } more have ended.
    }

stepper_title_inspect = What the kernel says now
stepper_title_why = Why
stepper_title_hand = By hand
stepper_title_diff = What is different from the step before
stepper_title_diff_mark = What is different from the mark
stepper_title_breaks = Breakpoints
stepper_title_help = Help
stepper_title_quit = Quit?

stepper_help_how = A key pressed here is explained. Esc closes this. What is only looked at costs the run nothing.
stepper_help_signs = Signs in the plan: · ahead, > about to, ✓ done, = done and nothing changed, ✗ failed, < about to be taken back, ↶ taken back, ! not taken back, ● breakpoint. In the system calls, * stands before a call that changed something.
stepper_hand_none = There is no command that does this.
stepper_hand_copied = The commands went to the clipboard, if the terminal allows that (OSC 52). Y shows them on the plain terminal.
stepper_changes_none = Nothing is different.
stepper_quit_question = The run stops here, and what was done is taken back. Press y to quit, any other key to stay.
stepper_breaks_none = No breakpoint is set.
stepper_breaks_how = B sets one: a phase, a step, an operation, exec, fail, or what happens in the container, such as copy-up, whiteout, forked. :delete takes one away.
stepper_ask_break = break at:{ " " }

stepper_at_present = This is the present: n carries out the step.
stepper_at_end = This is the end of what was recorded.
stepper_at_start = This is the start.
stepper_marked = Marked. d shows what is different from here.
stepper_until_what = Select a step that is ahead with the arrow keys, then press u.
stepper_until_past = That step is not ahead: p and g lead back.
stepper_step_unknown = It has not come to a step { $what }.
stepper_break_set = breakpoint: { $what }
stepper_break_gone = no breakpoint any more: { $what }
stepper_break_unset = there is no breakpoint { $what }
stepper_break_unknown = There is no phase, step, operation or event { $what }.
stepper_breaks_cleared = No breakpoint is set any more.
stepper_not_found = { $what } stands nowhere.
stepper_no_shell = There is no container to open a shell in: this is what was recorded.
stepper_no_kernel = There is no kernel to ask: this is what was recorded. The panes show it.
stepper_no_model_shell = The modelled kernel has no shell to open. i shows what is in it.
stepper_shell_failed = failed to { $what }
stepper_command_unknown = There is no command { $what }. ? lists the keys.
stepper_command_ambiguous = That may be: { $what }
stepper_subject_unknown = There is no { $what } to look at: mounts, namespaces, cgroup, network, layers, processes.
stepper_key_unknown = There is no key { $what }.
stepper_wait_enter = -- { $status ->
        [none] The terminal was the container's.
       *[other] The command ended with { $status }.
    } Enter goes back to the stepper. --
stepper_held = n lets it go on, i asks the kernel. Held before { $call } on { $path }; nothing is changed yet.
stepper_life = This happened in the container just now. n lets the run go on.
stepper_failed_here = The step failed. Nothing has been taken back yet: n does that.
stepper_rolled_back = It was taken back. n shows how, step by step; q leaves.
stepper_over = The run is over. p looks back; q leaves.
stepper_wait_plain = -- Enter goes back to the stepper. --

# Words of a difference, by the English ones of the picture.
stepper_word_about = about to
stepper_word_done = done
stepper_word_found = done, nothing changed
stepper_word_failed = failed
stepper_word_undoing = undoing
stepper_word_undone = undone
stepper_word_left = not undone
stepper_word_added = added
stepper_word_copied = copied up
stepper_word_whiteout = whiteout
stepper_word_opaque = opaque
stepper_word_redirect = redirect
stepper_word_removed = removed
stepper_word_own = own
stepper_word_shared = shared with the host
stepper_word_ended = ended
stepper_word_root = the root /
stepper_word_attached = attached
stepper_word_detached = mounted, not attached
stepper_word_rule = rule
stepper_word_layer = layer
stepper_word_writable = writable layer
stepper_word_union = union
stepper_word_hostname = host name
stepper_word_bridge = bridge
stepper_word_veth = pair
stepper_word_reserved = address reserved
stepper_word_address = address of
stepper_word_link = link
stepper_word_route = route
stepper_word_port = port
stepper_word_group = group
stepper_word_pid = process

stepper_key_next = carry out the step
    .hint = next
    .more = Carries out the step that is announced, and stops before the next one. In the past, on a recording and after the end it goes to the next step that was recorded. Enter and the space bar do the same.
stepper_key_step = step into the system calls
    .hint = into
    .more = Carries out the step, then shows one event after the other: each system call with its result, each piece of evidence. The kernel has done it all by then; only the showing stops.
stepper_key_finish = finish the phase
    .hint = finish
    .more = Goes on to the first step of the next phase, or to a breakpoint or failure before that.
stepper_key_continue = continue to a breakpoint
    .hint = continue
    .more = Goes on to the next breakpoint, or to the end. A failure is a breakpoint from the start; :delete fail changes that.
stepper_key_until = run to the selected step
    .hint = until
    .more = Select a step in the plan with the arrow keys or the mouse, then u: everything up to it is carried out. :until STEP names it.
stepper_key_break = breakpoint at this step
    .hint = break
    .more = Sets a breakpoint at the selected step, or takes it away.
stepper_key_break_on = breakpoint on…
    .hint = break on
    .more = Asks where to stop: a phase (network), a step (pivot.pivot-root), an operation (mount), exec, fail, or what happens in the container: copy-up, whiteout, opaque, created, forked, executed, ended, refused, oom-killed. At copy-up a process is held before its call.
stepper_key_back = one step back
    .hint = back
    .more = Shows the state as it was one step before. The past of a run is only looked at: nothing is undone. G leads back to the present.
stepper_key_forward = forward in the past
    .hint = forward
    .more = Goes one step forward in what has happened, and never carries anything out.
stepper_key_back_one = one event back
    .hint = event back
    .more = Goes one event back: within the system calls of a step, for example.
stepper_key_first = to the first step
    .hint = first
    .more = Shows the state before the first step.
stepper_key_present = to the present
    .hint = present
    .more = Shows the present again, where the run waits; on a recording, its end.
stepper_key_mark = mark this moment
    .hint = mark
    .more = d then shows what is different from this moment.
stepper_key_diff = what is different
    .hint = differs
    .more = Compares the state shown with the marked one; without a mark, with that at the step before.
stepper_key_inspect = ask the kernel
    .hint = inspect
    .more = Reads mounts, namespaces, cgroup, network, layers and processes from the kernel as they are now. :inspect network asks for one of them.
stepper_key_why = why
    .hint = why
    .more = What the chapter and the step are good for, the pages of the manual, the lesson.
stepper_key_hand = the same by hand
    .hint = by hand
    .more = Shows the commands that would do this step, and puts them into the clipboard.
stepper_key_plain = by hand, on the plain terminal
    .hint = plain
    .more = Shows the commands outside of the stepper, whole and without a frame, so that they can be selected with the mouse.
stepper_key_shell = shell inside
    .hint = shell
    .more = A shell inside the container as built so far: in the namespaces that exist by now, with the root that init has at this moment. exit leads back.
stepper_key_host_shell = shell on the host
    .hint = host shell
    .more = A shell on the host, while the run waits. exit leads back.
stepper_key_search = search
    .hint = search
    .more = Selects the next step in whose name, title, calls or evidence a text stands. Without a text it looks for the last one again.
stepper_key_command = type a command
    .hint = command
    .more = Commands, by their beginnings: next step finish continue until STEP, break AT, delete AT, inspect SUBJECT, why, hand, shell, shell host, back STEP, first, present, mark, diff, search TEXT, help KEY, quit.
stepper_key_focus = choose a pane (1–9, Tab)
    .hint = panes
    .more = 1 to 9 choose a pane; Tab and Shift-Tab go around. On a small screen the lower part shows the pane chosen last. The mouse chooses, too.
stepper_key_move = select a step, or scroll
    .hint = move
    .more = In the plan the arrow keys select a step: its story, calls and evidence are shown. In other panes they scroll. Esc lets go. The wheel of the mouse scrolls what it is over.
stepper_key_zoom = one pane on the whole screen
    .hint = zoom
    .more = Shows the chosen pane alone, and all of them again.
stepper_key_redraw = draw anew
    .hint = redraw
    .more = Draws the screen anew, when something else has written on it.
stepper_key_help = help; then any key
    .hint = help
    .more = Lists the keys. A key pressed there is explained.
stepper_key_quit = quit
    .hint = quit
    .more = Stops the run here and takes back what was done. On a recording and after the end it only leaves. Ctrl-C quits without a question.
