// RUN: split-takes{share=1000}
// TARGET: tests/targets/tiny.toml
// RESOURCE: words 101x16 random 1
// 101 rows on a grid of two rows: two blocks of 51, the last padded with a row of zeros.
// CHECK: %[[N:.*]] = nn.clamp {{.*}}, %i,
// CHECK: %[[W:.*]] = nn.constant {resource = "words.1", shape = [2, 51, 16]
// CHECK: %[[L:.*]] = nn.remainder %[[N]]
// CHECK: %[[T:.*]] = nn.take %[[W]], %[[L]] {axis = 1
// CHECK: nn.compare {{.*}}direction = "EQ"
// CHECK: %[[S:.*]] = nn.select {{.*}}, %[[T]],
// CHECK: nn.reduce %[[S]] {kind = "sum", dims = [0]
func.func @main(%i: tensor<3x5xi32>) -> tensor<3x5x16xf32> {
  %w = nn.constant {resource = "words", shape = [101, 16], element_type = f32, loc = "node 'Gather_0'"} : tensor<101x16xf32>
  %t = nn.take %w, %i {axis = 0, loc = "node 'Gather_0'"} : (tensor<101x16xf32>, tensor<3x5xi32>) -> tensor<3x5x16xf32>
  func.return %t : tensor<3x5x16xf32>
}
