# What is said of recordings: comparing and checking them, and the pages made of them.

differ_nothing = The two recordings tell the same.
differ_alike =
    { $count ->
        [one] = one step alike
       *[other] = { $count } steps alike
    }
differ_no_end = the recording does not say
differ_op = plan

check_whole =
    { $file } is a whole recording: { $events } events, { $steps ->
        [one] one step
       *[other] { $steps } steps
    }, { $calls } system calls{ $failed ->
        [0] .
        [one] ; one step failed, and { $undone } were taken back.
       *[other] ; { $failed } steps failed, and { $undone } were taken back.
    }

sequence_kernel = Linux kernel
sequence_model = modelled kernel
track_phases = phases
track_container = container
track_process = process { $pid }

drawing_title = The container at this moment
drawing_layers = Layers
drawing_union_root = The union is the root /
drawing_union_attached = The union is attached, not yet the root
drawing_union_mounted = The union is mounted, attached nowhere yet
drawing_writable = writable layer
drawing_layer = layer { $index }
drawing_empty = empty
drawing_removed = removed with the container
drawing_nothing = nothing
drawing_more_layers = … and { $count } more below
drawing_more_entries = … and { $count } more
drawing_more_processes = … and { $count } more
drawing_cgroup = Control group
drawing_devices = devices: only those allowed
drawing_namespaces = Namespaces
drawing_own = own
drawing_shared = host's
drawing_ended = ended
drawing_hostname = host name: { $name }
drawing_network = Network
drawing_host = host
drawing_container = container
drawing_rules =
    { $count ->
        [one] one rule of nftables
       *[other] { $count } rules of nftables
    }
drawing_processes = Processes
drawing_outside = outside
drawing_inside = inside
drawing_preparing = preparing
drawing_running = runs
drawing_zombie = zombie

player_first = First
player_back = Back
player_play = Play
player_pause = Pause
player_next = Next
player_last = Last
player_position = Position
player_steps = Steps
player_controls = Player
player_story = This step
player_picture = The container after this
player_skip = Skip to the step
player_keys = Keys: ← → one step, Home and End, space plays and pauses, L changes the language.
player_language = 中文
player_begins = Before the first step
player_life = In the container
player_done = Step done
