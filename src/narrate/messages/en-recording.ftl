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
