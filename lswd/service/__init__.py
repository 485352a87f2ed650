"""Running programs on behalf of somebody: embedded in ``lswctl launch`` now, behind the device and socket later."""
