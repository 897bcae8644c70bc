# What a lesson's check looked at and found, and what it wanted.
status-created = created
status-running = running
status-paused = paused
status-exited = exited

container = container { $name }: made from { $image }, { $status }
no-container = there is no container { $name }
image = image { $image }: { $layers } layers are unpacked
no-image = there is no image { $image }
layers = { $name } stands on { $layers } read-only layers, { $other } on { $others }; { $shared } are the same
at = { $place }, { $path }: { $seen } (looked at { $file })
no-layer = image { $image }: none of its { $layers } layers has { $path }
no-volume = no volume of container { $name } covers { $path }

place-upper = writable layer of { $name }
place-lower = read-only layer { $number } of { $of } beneath { $name }
place-layer = layer { $number } of { $of } of image { $image }
place-volume = volume of { $name } at { $target }

seen-nothing = nothing is there
seen-empty = an empty file
seen-file = a file of { $size } bytes, first line "{ $start }"
seen-with = { $file }, with "{ $text }" in it
seen-without = { $file }, without "{ $text }" in it
seen-dir = a directory
seen-opaque = an opaque directory
seen-symlink = a symbolic link to { $target }
seen-whiteout = a whiteout
seen-other = neither a file nor a directory

separator = {"; "}
want-container = a container { $name }
want-status = container { $name } is { $status }
want-container-image = container { $name } is made from { $image }
want-image = the store has the image { $image }
want-same-layers = { $name } and { $other } stand on the same read-only layers
want-upper = the writable layer of { $name } has { $path }
want-copied-up = the writable layer of { $name } has its own copy of { $path }, which begins with the read-only layer's text
want-upper-lacks = the writable layer of { $name } has nothing at { $path }
want-whiteout = the writable layer of { $name } has a whiteout at { $path }
want-opaque = the writable layer of { $name } has an opaque directory at { $path }
want-layer = a read-only layer of { $image } has { $path }
want-volume = a volume of { $name } has { $path }
want-text = { $phrase }, with the text "{ $text }"
want-not = not: { $phrase }
want-any = one of: { $all }
want-all = all of: { $all }

# The command `learn`.
learn-summary = { $minutes } minutes; needs { $tier }
tier-model = no privileges: the modelled kernel will do
tier-rootless = a Linux host
tier-root = a Linux host and root
learn-objectives = When you are done, you can:
learn-exercises = Exercises:
learn-passed = done
learn-failed = not yet
learn-wanted = wanted: { $wanted }
learn-score = { $passed } of { $all } exercises are done.
learn-hint-of = { $title }:
learn-done = This exercise is done: there is nothing to hint at.
learn-all-done = Every exercise of this lesson is done.
learn-removed = removed container { $name }
learn-nothing-to-reset = None of the lesson's containers is there: nothing to remove.
