# One group per operation. `about` is said before it happens, `did` after the
# kernel has accepted it, `found` instead of `did` when nothing had to be changed.
# `undoing` and `undone` are there where undoing changes something; `undone`
# describes the state reached, since there may have been nothing to take back.
# `hand` is there where no command of the shell does the same.

read_image =
    .title = Read the image { $reference }
    .about = glassbox will look up { $reference }, then read its manifest and its config.
    .did =
        { $reference } is image { $image_short }. { $layers ->
            [0] Its manifest lists no layer.
            [one] Its manifest lists one layer.
           *[other] Its manifest lists { $layers } layers.
        }
    .why = A tag is only a name and may move. The digest is the hash of the content: whoever has it can check that it is exactly this image.

unpack_layer =
    .title = Unpack layer { $index }
    .about = Layer { $index } ({ $size } bytes) will be hashed, decompressed and unpacked into { $dir }, in one pass.
    .did = Layer { $index } is unpacked. The hash of its { $size } bytes and that of the tar inside both matched.
    .found = Layer { $index } was unpacked already; it was used as it is.
    .why = A layer is a tar archive of what one build step changed. Two hashes guard it: one of the file as stored, one (the diff ID) of the tar inside, so that recompressing does not change its identity.
    .hand = The deletion marks of the layer (names that begin with .wh.) must then be turned into the whiteouts of overlayfs.

use_layer =
    .group = Use layers
    .title = Use layer { $index }
    .about = Layer { $index } is in the store already; glassbox will use that tree and not copy it.
    .did =
        Layer { $index } is used from { $dir }. { $created_by ->
            [none] The image does not say what made it.
           *[other] It was made by: { $created_by }
        }
    .why = Layers are read-only, so any number of containers and images can share one tree. A container costs only what it changes.

read_host_kernel =
    .title = Read which kernel is running
    .about = glassbox will ask the running kernel for its release.
    .did = The container will run on this kernel. There is no other one in it.
    .why = A container is a group of processes of the host's kernel. What a textbook calls bootfs was mounted, used and let go of when the host booted.

look_for_kernel =
    .title = Look for a kernel in the image
    .about =
        { $layers_count ->
            [0] There is no layer to look into for anything that could boot.
            [one] glassbox will look into the layer for anything that could boot.
           *[other] glassbox will look into all { $layers_count } layers for anything that could boot.
        }
    .did =
        { $layers_count ->
            [0] There was no layer to look into.
            [one] The layer was searched; the evidence says what was found.
           *[other] All { $layers_count } layers were searched; the evidence says what was found.
        }
    .why = An image holds files for user space. If one of them is a kernel (some images carry /boot), nothing will ever boot it here.

make_dir =
    .group = Make directories
    .title = Make directory { $path_last }
    .about = The directory { $path } will be made, with mode { $mode }, unless it is there.
    .did = The directory { $path } is there, with mode { $mode }.
    .found = The directory { $path } was there already.
    .why = Mounts and the container's own files need a place to stand.
    .undoing = The directory { $path } is about to be removed, if this run made it.
    .undone = No directory that this run made is left at { $path }.

map_layers =
    .title = Give the layers the container's users
    .about = Each read-only layer and the container's directory will get a view that translates owners: user 0 there is another user on the host.
    .did = Each read-only layer and the container's directory have a view that translates owners.
    .why = Layers keep the owners that the image gave them, and all containers share them. In this user namespace root is another user of the host, who could not write to root's files. A view translates both ways: that user sees the files as its own, and what it writes is stored as root's.
    .undoing = glassbox is about to let go of the views.
    .undone = glassbox holds no view of the layers.

mount_overlay =
    .title = Build the union of layers
    .about =
        { $lower_count ->
            [one] overlayfs will lay one read-only layer under one writable layer.
           *[other] overlayfs will lay { $lower_count } read-only layers under one writable layer.
        } { $style ->
            [detached] The mount will be made detached: no namespace shows it yet.
           *[options] Init will mount it in its own mount namespace.
        }
    .did =
        { $lower_count ->
            [one] overlayfs took one read-only layer and one writable layer as one tree.
           *[other] overlayfs took { $lower_count } read-only layers and one writable layer as one tree.
        } { $style ->
            [detached] The mount stands nowhere yet.
           *[options] It stands at { $target }.
        }
    .why = A lookup goes from top to bottom, and the first layer that has the name wins. The first write to a file of a lower layer copies it up to the writable layer; a deletion puts a whiteout there. The lower layers never change.
    .undoing = glassbox is about to let go of the union.
    .undone = glassbox no longer holds the union; where init has it, it goes away with init's mount namespace.

attach_rootfs =
    .hand = In a shell the union is mounted at its place at once: no command holds a mount that stands nowhere.
    .title = Attach the union
    .about = Init will attach the detached union at { $target }, in its own mount namespace.
    .did = The union stands at { $target }, in the mount namespace of init.
    .why = Because only init's namespace knows this mount, the host's list of mounts does not show it, and it goes away with the last process of the container.
    .undoing = This mount will go away with init's mount namespace.
    .undone = This mount goes away with init's mount namespace, or has gone already.

create_cgroup =
    .title = Make a cgroup{ $controllers_count ->
            [0] { "" }
           *[other] { " " }for { $controllers }
        }
    .about = The directory { $path } will be made in a cgroup { $version } hierarchy.
    .did = The cgroup { $path } is there.
    .found = The cgroup { $path } was there already.
    .why = Namespaces limit what a process can see; cgroups limit what it can use. A directory in the cgroup file system is a group; files in it are its limits and its counters.
    .undoing = The cgroup { $path } is about to be removed.
    .undone = There is no cgroup { $path }.

set_limit =
    .title =
        { $limit ->
            [memory] Limit memory
            [swap] Limit swap
            [cpu_quota] Limit CPU time
            [cpu_period] Set the period of the CPU limit
            [cpu_weight] Set the share of CPU time
            [cpuset_cpus] Choose the CPUs
            [cpuset_mems] Choose the memory nodes
            [pids] Limit the number of tasks
           *[controllers] Pass controllers on
        }
    .about = { $value } will be written to { $file_last }.
    .did = The kernel accepted { $value } in { $file_last }.
    .found = { $file_last } held this value already.
    .why =
        { $limit ->
            [memory] When the group needs more bytes than this, the kernel first takes back its caches, then kills one of its processes.
            [swap] Without this limit, a group that reaches its memory limit would go on in swap.
            [cpu_quota] The group may run this many microseconds in each period; then its tasks wait for the next one.
            [cpu_period] The quota is counted anew in each period, in microseconds.
            [cpu_weight] Weights count only while there are more tasks than CPUs: then time is shared in their proportion.
            [cpuset_cpus] The scheduler keeps the tasks of the group on these CPUs.
            [cpuset_mems] Memory is taken from these nodes. A cgroup v1 cpuset takes no task before both files are set.
            [pids] fork fails with EAGAIN above this number: a fork bomb stays inside its group.
           *[controllers] In cgroup v2 a group limits its children only through controllers that it passes on to them.
        }
    .undoing = The limit in { $file_last } goes with its cgroup.
    .undone = Nothing was left to do: the limit in { $file_last } belongs to its cgroup.

allow_devices =
    .title = Say which devices may be used
    .about =
        { $rules_count ->
            [one] One device rule
           *[other] { $rules_count } device rules
        } { $version ->
            [v1] will be written to the files devices.deny and devices.allow.
           *[v2] will be loaded as a BPF program and attached to the cgroup.
        }
    .did =
        The kernel accepted { $rules_count ->
            [one] one device rule
           *[other] { $rules_count } device rules
        } for this cgroup.
    .why = A device node is only a number; who can make a node for the host's disk could read the disk. The kernel therefore asks the cgroup at every open and every mknod.
    .hand = { $version ->
            [v1] Each rule is one write.
           *[v2] The shell has no command for it: the rules are compiled into a BPF program, as systemd and runc do too.
        }

clone =
    .title = Make init in new namespaces
    .about =
        { $namespaces_count ->
            [0] One system call will make the init process, without new namespaces.
            [one] One system call will make the init process and a new namespace for it: { $namespaces }.
           *[other] One system call will make the init process and { $namespaces_count } namespaces for it: { $namespaces }.
        }
    .did =
        { $slot_init_pid ->
            [none] The init process exists.
           *[other] The init process exists: { $slot_init_pid } is its pid as the host sees it.
        } { $namespaces_count ->
            [0] It shares every namespace with the host.
            [one] It was born in a new namespace.
           *[other] It was born in { $namespaces_count } new namespaces.
        }
    .why = There is no container object in the kernel. What is called a container is a process with namespaces, a root and a cgroup of its own.
    .undoing = The init process is about to be killed, and all of the container with it.
    .undone = No process of the container is left; its namespaces went with the last one.

write_id_maps =
    .title = Map user and group ids
    .about = The ids of the user namespace will be mapped to ids of the host.
    .did = The kernel accepted both maps.
    .why = Root in a user namespace is root only there. The map says which ordinary id of the host stands behind it.

join_cgroup =
    .title = Join the container's cgroups
    .about =
        { $files_count ->
            [one] The process will be entered into one cgroup.
           *[other] The process will be entered into { $files_count } cgroups, one per hierarchy.
        }
    .did =
        { $files_count ->
            [one] The process is in the container's cgroup.
           *[other] The process is in the container's cgroup in { $files_count } hierarchies.
        }
    .why = All children are born into the cgroup of their parent. The process is put in before it has any, so that none can be outside.

unshare_cgroup =
    .title = Make the cgroup its own root
    .about = Init will take a new cgroup namespace, whose root is the cgroup that it is in.
    .did = Init has a cgroup namespace of its own.
    .why = /proc/self/cgroup then shows / instead of the host's path: the container does not learn where on the host it is.

find_init =
    .title = Find the container's init
    .about = glassbox will read the pid of the container's first process from { $state }, open a pidfd of it, and check that it is the container's.
    .did =
        { $slot_init_pid ->
            [none] The container's first process is held by a pidfd.
           *[other] Process { $slot_init_pid } of the host is the container's first process, and is held by a pidfd.
        }
    .why = A pid is only a number, and is given out again after its process has ended. A pidfd means one process for ever. So it is opened first and checked then: what is joined is what was checked.

spawn_inside =
    .title = Make a process in the container's pid namespace
    .about = glassbox will choose the container's pid namespace for its next child, make that child{ $cgroup ->
            [none] { "" }
           *[other] , born in the cgroup { $cgroup }
        }, and take the choice back.
    .did =
        { $slot_process_pid ->
            [none] The process exists.
           *[other] The process exists: { $slot_process_pid } is its pid as the host sees it.
        } It was born in the container's pid namespace, and sees nothing else of the container yet.
    .why = A process keeps its pid namespace for life, because it keeps its pid. setns changes only in which one its children are born.
    .undoing = The process is about to be killed. The container goes on.
    .undone = Nothing is left of the process.

join_namespaces =
    .title = Join the container's namespaces
    .about =
        { $namespaces_count ->
            [0] The process will join no further namespace of the container's first process.
            [one] With one setns the process will enter one more namespace of the container's first process: { $namespaces }.
           *[other] With one setns the process will enter { $namespaces_count } more namespaces of the container's first process: { $namespaces }.
        }
    .did =
        { $namespaces_count ->
            [0] There was nothing more to join.
           *[other] setns accepted all of them at once. The evidence has the number of each namespace beside that of the first process: they are equal where both are in the same one.
        }
    .why = What makes a process one of a container is that it has the same namespaces. With the mount namespace come the container's root and all that is masked in it. The kernel checks every one before it enters the first, the user namespace first of all.

create_bridge =
    .title = Make the bridge { $name }
    .about = The bridge { $name } will be made, if it is missing, with address { $address }/{ $prefix }.
    .did = The bridge { $name } is there, with address { $address }/{ $prefix }.
    .found = The bridge { $name } was there already and is used as it is.
    .why = A bridge is a switch in software. Containers are plugged into it, and its own address is their gateway.
    .undoing = The bridge { $name } is about to be removed, if nothing else uses it.
    .undone = The bridge { $name } is gone, or others still use it.

write_sysctl =
    .title = Set { $file_last }
    .about = { $value } will be written to { $file }, unless it holds that already.
    .did = { $file } now holds { $value }.
    .found = { $file } held { $value } already.
    .why = A kernel that does not forward drops packets which are not for itself. Those of a container are: they come in at the bridge and leave by another interface.
    .undoing = { $file } is about to get its former value back, if this run changed it and no container needs it.
    .undone = { $file } is as it was before, or others still need it.

create_nat =
    .title = Make the base rules of the network
    .about = The nftables table { $table } will get rules that masquerade and forward what comes from { $subnet }/{ $prefix }.
    .did = The nftables table { $table } masquerades and forwards for { $subnet }/{ $prefix }.
    .found = The nftables table { $table } had its base rules already.
    .why = Nobody outside knows the way back to { $subnet }/{ $prefix }. Masquerade puts the host's own address on packets that leave, and connection tracking turns the answers round.
    .undoing = The base rules of { $bridge } are about to be removed, if no other container needs them.
    .undone = The base rules of { $bridge } are gone, or others still use them.

allocate_address =
    .title = Reserve an address
    .about = The first free address of { $subnet }/{ $prefix } will be reserved for this container.
    .did =
        { $slot_address ->
            [none] An address of { $subnet }/{ $prefix } is reserved for this container.
           *[other] { $slot_address } is reserved for this container.
        }
    .why = Two containers must never get the same address. The lease is a file made with O_EXCL: the file system decides who was first.
    .undoing = The address is about to be given back.
    .undone = This container holds no address of { $network }.

create_veth =
    .title = Lay a cable into the container
    .about = A veth pair will be made: { $host } on the host, plugged into { $bridge }, and { $peer } in the network namespace of init.
    .did = { $host } is plugged into { $bridge }; its other end is { $peer }, in the network namespace of init.
    .why = A new network namespace holds nothing but a loopback that is down. A veth pair is a cable with two ends; what goes in at one comes out at the other, in another namespace.
    .undoing = The veth pair { $host } is about to be removed.
    .undone = There is no link { $host } on the host.

publish_port =
    .title = Publish port { $host_port }
    .about = { $protocol } port { $host_port } of the host will be redirected to port { $container_port } of the container.
    .did = nftables redirects { $protocol } port { $host_port } of { $host_ip_any ->
            [true] every address of the host
           *[other] { $host_ip }
        } to { $address }:{ $container_port }.
    .why = The container's address is unknown outside the host. The rule rewrites the destination as a packet arrives (DNAT); no process stands in between.
    .undoing = The redirection of port { $host_port } is about to be removed.
    .undone = No rule of this container redirects port { $host_port }.

set_link_up =
    .title = Switch { $link } on
    .about = The link { $link } will be set up.
    .did = The link { $link } is up.
    .why =
        { $link ->
            [lo] Even loopback is down in a new network namespace: until this step 127.0.0.1 does not answer.
           *[other] A link that is down carries nothing, and routes through it do not count.
        }

add_address =
    .title = Give { $link } its address
    .about = { $link } will get the address { $address }.
    .did = { $link } has the address { $address }.
    .why = With the address comes the route to its own subnet: the neighbours on the bridge can be reached from now on.

add_default_route =
    .title = Add the default route
    .about = Whatever is not on the subnet will be sent to { $via }.
    .did = The default route leads to { $via }.
    .why = The gateway is the bridge's own address on the host. From there the host's routes decide.

make_mounts_private =
    .title = Cut mount propagation
    .about = What is mounted in init's namespace will no longer spread to the host's.
    .did = What is mounted in init's namespace no longer spreads to the host's.
    .why = A new mount namespace is a copy, and copies of shared mounts still pass events on. Without this step, what the container mounts would appear on the host.

mount =
    .title = Mount { $target_inside }
    .about = A file system of type { $fstype } will be mounted at { $target_inside } of the container.
    .did = { $fstype } is mounted at { $target_inside } of the container.
    .why =
        { $role ->
            [proc] /proc shows the processes of the pid namespace of whoever mounts it. It must therefore be mounted anew, inside.
            [sysfs] /sys shows the devices and the network interfaces of the network namespace that it was mounted in.
            [cgroup] The container can read its own limits and counters here.
            [dev] The container gets a /dev of its own with a few harmless devices, not the host's.
            [devpts] A devpts of its own: the terminals of the host cannot be reached from inside.
            [shm] POSIX shared memory lives in this tmpfs, and is gone with it.
            [mqueue] POSIX message queues belong to the ipc namespace; this file system shows them.
            [volume] A volume is outside the union: what is written there stays when the container is removed.
            [names] This file belongs to this container alone and is laid over the image's.
            [device] A device of the host that the container may use.
           *[other] It was asked for in the specification of the container.
        }
    .undoing = This mount will go away with init's mount namespace.
    .undone = This mount goes away with init's mount namespace, or has gone already.

bind =
    .title = Bind { $role ->
            [names] { $source_last }
           *[other] { $source }
        } to { $target_inside }
    .about = { $source } of the host will be shown at { $target_inside } of the container too.
    .did = { $target_inside } of the container now shows { $source } of the host.
    .why =
        { $role ->
            [volume] A volume goes past the union: reads and writes reach the host's own file, and stay when the container is removed.
            [names] Host name and addresses are known only now, so no layer can hold them. The file is laid over the image's; the image does not change.
            [device] Where making device nodes is forbidden, the host's own node is shown instead.
            [cgroup] The container sees its own part of the hierarchy.
           *[other] A bind mount is a second name for a tree that exists. Nothing is copied.
        }
    .undoing = This mount will go away with init's mount namespace.
    .undone = This mount goes away with init's mount namespace, or has gone already.

make_node =
    .group = Make device nodes
    .title = Make the device { $path_inside }
    .about = The { $kind ->
            [c] character
           *[b] block
        } device { $path_inside } ({ $major }:{ $minor }) will be made.
    .did = The device { $path_inside } ({ $major }:{ $minor }) is there.
    .found = The device { $path_inside } was there already.
    .why = A node is only a pair of numbers by which the kernel finds the driver. These few give away nothing of the host.

make_symlink =
    .group = Make symbolic links
    .title = Link { $path_inside } to { $target }
    .about = The symbolic link { $path_inside } will be made; it says { $target }.
    .did = { $path_inside } is a link that says { $target }.
    .found = { $path_inside } was there already.
    .why = Programs expect these names in /dev. Each leads to the reader's own descriptors or terminal.

write_file =
    .title = Write { $path_last }
    .about = { $path } will be written, on the host, in the container's own directory.
    .did = { $path } is written.
    .why = What depends on the run (its name, its address) cannot be in an image that all containers share.
    .undoing = The file { $path } is about to be removed.
    .undone = There is no file { $path }.

pivot_root =
    .title = Swap the root
    .about = { $new_root } will become / of init's mount namespace, and the old root will be unmounted.
    .did = { $new_root } is / of init's mount namespace. The old root is unmounted in it.
    .why = chroot only moves a process's view, and root can climb out. After pivot_root the host's tree is no longer mounted in this namespace at all: there is nothing to climb to.

remount_root_readonly =
    .title = Make the root read-only
    .about = The root will be remounted read-only.
    .did = The root is read-only. Writing there fails with EROFS.
    .why = What must not change cannot be changed by mistake or by an intruder; what has to be written goes to volumes and tmpfs.

mask_path =
    .group = Hide paths
    .title = Hide { $path_inside }
    .about = { $path_inside } will be hidden behind something empty, if it exists.
    .did = { $path_inside } is hidden.
    .found = { $path_inside } does not exist, or was hidden already.
    .why = Some files of /proc and /sys are not divided by any namespace and tell about the whole host.

readonly_path =
    .group = Protect paths
    .title = Protect { $path_inside }
    .about = { $path_inside } will be made read-only, if it exists.
    .did = { $path_inside } is read-only.
    .found = { $path_inside } does not exist, or was read-only already.
    .why = Writing here would reach beyond the container: it changes settings of the kernel that all share.

set_hostname =
    .title = Set the host name
    .about = The host name in init's UTS namespace will be { $name }.
    .did = The host name in init's UTS namespace is { $name }.
    .why = The UTS namespace has a host name of its own; that of the host does not change.

open_terminal =
    .title = Open a terminal
    .about = A terminal will be opened in the container's own devpts, and its other end handed to glassbox.
    .did = The process has a terminal; glassbox holds its other end.
    .why = A pseudoterminal has two ends. The command talks to one as to a screen and a keyboard; glassbox carries what comes out at the other to yours.
    .hand = `script` and `ssh -t` open a terminal for a command in the same way.

set_rlimits =
    .title = Set resource limits
    .about =
        { $limits_count ->
            [0] There is no resource limit to set.
            [one] One resource limit will be set.
           *[other] { $limits_count } resource limits will be set.
        }
    .did =
        { $limits_count ->
            [0] There was no resource limit to set.
            [one] One resource limit is set.
           *[other] { $limits_count } resource limits are set.
        }
    .why = These limits are per process and are inherited; cgroups limit a whole group.

set_no_new_privs =
    .title = Give up gaining privileges
    .about = no_new_privs will be set.
    .did = no_new_privs is set. It cannot be cleared again, and every child inherits it.
    .why = From now on a setuid program or file capabilities add nothing at execve.

drop_bounding =
    .title = Drop capabilities for good
    .about =
        { $keep_count ->
            [0] Every capability will be dropped from the bounding set.
            [one] All capabilities except one will be dropped from the bounding set.
           *[other] All capabilities except { $keep_count } will be dropped from the bounding set.
        }
    .did =
        { $keep_count ->
            [0] The bounding set is empty.
            [one] The bounding set keeps only { $keep }.
           *[other] The bounding set keeps only these { $keep_count }: { $keep }.
        }
    .why = Linux splits root's power into about 40 capabilities. One that is not in the bounding set cannot be gained again by any execve, not even by root.

set_user =
    .title = Become user { $uid }
    .about = The process will become user { $uid } and group { $gid }.
    .did = The process is user { $uid } and group { $gid }{ $groups_count ->
            [0] , in no further group.
           *[other] , also in the groups { $groups }.
        }
    .why =
        { $uid ->
            [0] User 0 is root by name; what it may do is decided by its capabilities, which are cut down in this chapter.
           *[other] The command does not run as root: files of others are closed to it, inside as outside.
        }

set_capabilities =
    .title = Set the capabilities
    .about =
        { $caps_effective_count ->
            [0] The process will give up every capability.
            [one] The process will keep one capability.
           *[other] The process will keep { $caps_effective_count } capabilities.
        }
    .did =
        { $caps_effective_count ->
            [0] The effective set is empty.
            [one] The effective set is { $caps_effective }.
           *[other] The effective set has { $caps_effective_count } capabilities.
        }
    .why = Root with a few capabilities can bind port 80 or change the owner of a file, but cannot load modules, set the clock or mount the host's disks.

load_seccomp =
    .title =
        { $profile ->
            [unconfined] Load a filter that only asks
           *[other] Load the system call filter
        }
    .about =
        { $profile ->
            [unconfined] A filter of system calls that refuses nothing will be loaded.
           *[other] The default filter of system calls will be loaded.
        }{ $told ->
            [true] { " " }Before a call that can change a file of a layer, it asks glassbox.
           *[other] { "" }
        }
    .did =
        { $told ->
            [true] The filter is loaded, and glassbox holds its listener: it is told of calls that can change a file of a layer, and of those that are refused.
           *[other] The filter is loaded. It cannot be removed, and every child inherits it.
        }
    .why =
        { $profile ->
            [unconfined] This run is told. Nothing is refused to this container, but what it does to the files of its layers is to be seen as it happens.
           *[other] All containers share one kernel, so each of its several hundred system calls is a way to attack it. The filter refuses those that ordinary programs do not need.
        }
    .hand = The shell has no command for it: a filter is a small BPF program. `docker run --security-opt seccomp=FILE` reads one from a file.

exec =
    .title = Become the command
    .about = The process will become { $argv }, in { $cwd }.
    .did = execve worked: the process is now { $argv }.
    .why = execve keeps the process and replaces its program. Pid, namespaces, root, cgroup and limits stay: so the command starts inside everything built until here.

supervise =
    .title = { $joined ->
            [true] The command lives
           *[false] The container lives
        }
    .about = glassbox will wait for the command{ $tty ->
            [true] , and carry its terminal to yours.
           *[false] , and pass signals on to it.
        }
    .did =
        { $slot_exit_status ->
            [none] The command has ended.
           *[other] The command has ended with status { $slot_exit_status }.
        }
    .why =
        { $joined ->
            [true] This command is one process of the container beside others: the container goes on when it ends. But when the container's first process ends, the kernel kills all others of its pid namespace, and this one with them.
           *[false] The first process of a pid namespace is its init: when it ends, the kernel kills all others in it. So the container ends with its command.
        }

let_run =
    .title = Let the command run on
    .about = glassbox will let go of the command, which then runs on with nobody waiting for it.
    .did = glassbox has let go of the command.
    .why = When glassbox ends, the host's first process takes the command over and takes note of its end. The command still ends with the container's first process.
    .hand = In a shell a command is let run with `setsid COMMAND &`.

read_changes =
    .title = Read what the container changed
    .about = glassbox will read the writable layer, { $upper }.
    .did = The writable layer has been read.
    .why = Everything that the container wrote is in this one directory: new files, whole copies of changed ones, and whiteouts for what it deleted.

record_exit =
    .title = Write the exit down
    .about = The exit status will be written to { $record_last }.
    .did =
        { $slot_exit_status ->
            [none] The exit is written to { $record_last }.
           *[other] Status { $slot_exit_status } is written to { $record_last }.
        }
    .why = An ended container is not gone: its writable layer and its record stay until it is removed.

remove_container =
    .title = Remove the container
    .about = The directory { $path } will be removed, with all that the container wrote.
    .did = The directory { $path } is removed. The layers of the image are as they were.
    .found = The directory { $path } was gone already.
    .why = The writable layer was the only part of the root that belonged to this container alone.
    .undoing = What was removed cannot be brought back.
    .undone = What was removed stays removed.
