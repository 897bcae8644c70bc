# 课程检查看了什么、看到了什么，以及它要求什么。
status-created = 已创建
status-running = 运行中
status-paused = 已暂停
status-exited = 已退出

container = 容器 { $name }：由镜像 { $image } 创建，{ $status }
no-container = 没有名为 { $name } 的容器
image = 镜像 { $image }：已解包 { $layers } 层
no-image = 没有镜像 { $image }
layers = { $name } 有 { $layers } 个只读层，{ $other } 有 { $others } 个，其中 { $shared } 个相同
at = { $place }的 { $path }：{ $seen }（查看的是 { $file }）
no-layer = 镜像 { $image } 的 { $layers } 层中都没有 { $path }
no-volume = 容器 { $name } 没有覆盖 { $path } 的卷

place-upper = { $name } 的可写层
place-lower = { $name } 之下第 { $number } 个只读层（共 { $of } 个）
place-layer = 镜像 { $image } 第 { $number } 层（共 { $of } 层）
place-volume = { $name } 挂在 { $target } 的卷

seen-nothing = 什么也没有
seen-empty = 空文件
seen-file = { $size } 字节的文件，首行为“{ $start }”
seen-with = { $file }，含有“{ $text }”
seen-without = { $file }，不含“{ $text }”
seen-dir = 目录
seen-opaque = 不透明（opaque）目录
seen-symlink = 指向 { $target } 的符号链接
seen-whiteout = 删除标记（whiteout）
seen-other = 既不是文件也不是目录

separator = ；
want-container = 有名为 { $name } 的容器
want-status = 容器 { $name } { $status }
want-container-image = 容器 { $name } 由镜像 { $image } 创建
want-image = 本机存储中有镜像 { $image }
want-same-layers = { $name } 与 { $other } 使用同一组只读层
want-upper = { $name } 的可写层中有 { $path }
want-copied-up = { $name } 的可写层中有 { $path } 的完整副本，开头就是只读层里的原文
want-upper-lacks = { $name } 的可写层中没有 { $path }
want-whiteout = { $name } 的可写层在 { $path } 处有删除标记（whiteout）
want-opaque = { $name } 的可写层在 { $path } 处有不透明（opaque）目录
want-layer = 镜像 { $image } 的某个只读层中有 { $path }
want-volume = { $name } 的卷中有 { $path }
want-text = { $phrase }，内容含“{ $text }”
want-not = 并非：{ $phrase }
want-any = 以下之一：{ $all }
want-all = 以下全部：{ $all }

# learn 命令。
learn-summary = 约 { $minutes } 分钟；条件：{ $tier }
tier-model = 模型内核即可，无需任何权限
tier-rootless = 一台 Linux 主机
tier-root = 一台 Linux 主机和 root 权限
learn-objectives = 学完之后，你能够：
learn-exercises = 练习：
learn-passed = 已完成
learn-failed = 未完成
learn-wanted = 要求：{ $wanted }
learn-score = { $all } 个练习中已完成 { $passed } 个。
learn-hint-of = { $title }：
learn-done = 这个练习已经完成，不需要提示。
learn-all-done = 这一课的练习已全部完成。
learn-removed = 已删除容器 { $name }
learn-nothing-to-reset = 这一课的容器一个也不在：没有要删除的。
