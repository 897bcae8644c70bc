# 关于记录：比较、检查，以及由它生成的页面。

differ_nothing = 两份记录讲的是同一件事。
differ_alike = = { $count } 步相同
differ_no_end = 记录里没有写
differ_op = 计划

check_whole =
    { $file } 是一份完整的记录：{ $events } 个事件，{ $steps } 步，{ $calls } 次系统调用{ $failed ->
        [0] 。
       *[other] ；有 { $failed } 步失败，撤销了 { $undone } 步。
    }
