// RUN: tile
// TARGET: tests/targets/tiny.toml
// Partial sums of a reduce-scatter grow in a buffer of their own; an all-gather reads shards and writes the whole.
#part = #mesh.layout<FP32, grid 2 x 3, [3 by col step 1, 96]>
#shard = #mesh.layout<FP32, grid 2 x 3, [96 by col step 32]>
#full = #mesh.layout<FP32, grid 2 x 3, [96]>
func.func @main(%x: tensor<3x96xf32, #part>) -> tensor<96xf32, #full> {
  %s = mesh.reduce_scatter %x {kind = "sum", algorithm = "ring", loc = "scatter"} : (tensor<3x96xf32, #part>) -> tensor<96xf32, #shard>
  %y = mesh.all_gather %s {algorithm = "ring", loc = "gather"} : (tensor<96xf32, #shard>) -> tensor<96xf32, #full>
  func.return %y : tensor<96xf32, #full>
}
// CHECK: %[[X:.*]] = tile.alloc "arg0"
// CHECK: %[[S:.*]] = tile.alloc "scatter"
// CHECK: %[[P:.*]] = tile.alloc "partial sums"
// CHECK: %[[A:.*]] = tile.alloc "arrivals"
// CHECK: tile.collective 0 lists {{[0-9]+}} %[[X]], %[[P]], %[[A]], %[[S]] by "tile.moves.{{.*}}" then "sum" "tile.adds.
// CHECK: %[[G:.*]] = tile.alloc "gather"
// CHECK: tile.collective {{[0-9]+}} lists {{[0-9]+}} %[[S]], %[[G]] by "tile.moves.{{.*}}" then "none"
